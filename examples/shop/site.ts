import type { AppOptions, Html } from "bunpie";
import { App, redirect } from "bunpie";

import { countPies } from "./cart.ts";
import { describeDevice } from "./device.ts";
import type { Services } from "./services.ts";
import type { Notice, ShopSession } from "./session.ts";
import { info } from "./session.ts";
import type { User } from "./users.ts";
import type { Visitor } from "./views/layout.ts";
import { renderPage } from "./views/layout.ts";

/** How long after a login sensitive actions need no password, in seconds. */
export const FRESH = 5 * 60;

/** Who may see a page or send a form. */
interface UserDemand {
  /** The greatest age of the login, in seconds. */
  readonly fresh?: number;
  /** For a form: the page to which the login leads. */
  readonly back?: string;
}

/** What the shop and the apps mounted in it share: the page frame, notices, and who the visitor is. */
export abstract class Site extends App<ShopSession> {
  protected readonly _services: Services;

  constructor(services: Services, options?: AppOptions) {
    super(options);
    this._services = services;
  }

  /** The logged-in user. */
  protected _user(): User | undefined {
    return this._services.users.find(this.request.session.meta.userId);
  }

  /** Returns the logged-in user; redirects anyone else to the login page, which leads back. */
  protected _requireUser(demand: UserDemand = {}): User {
    const user = this._services.users.find(this.#requireLogin(demand));
    if (user !== undefined) return user;
    // The account was deleted.
    this.request.session.destroy();
    throw redirect("/login", 303);
  }

  /** This device's name in the list on the user's other devices. */
  protected _device(): string {
    return describeDevice(this.request.headers.get("user-agent"));
  }

  /** Records that this device has ended a session, for that session's windows. */
  protected _noteEnd(handle: string): void {
    const note = { by: this._device(), at: this._services.facts.now() };
    this._services.signOuts.set(handle, note);
  }

  /** A page in the shop's frame. */
  protected async _page(title: string, content: Html, status = 200): Promise<Response> {
    const { session } = this.request;
    const notice = session.flash<Notice>("notice") ?? this.#tellOfEnd();
    // Save now, so that the page can show what was stored.
    await session.save();
    const visitor = this._describeVisitor();
    return renderPage({ path: this.request.path, title, content, notice, visitor }, status);
  }

  /** Redirects after a form; the next page shows the notice, once. */
  protected async _goTo(path: string, notice?: Notice): Promise<Response> {
    const { session } = this.request;
    const shown = this.#withEnd(notice);
    if (shown !== undefined) session.flash("notice", shown);
    await session.save();
    const { forms, traces } = this._services;
    const { handle } = session.meta;
    if (handle !== null) forms.set(handle, traces.describe(this.request));
    return redirect(path, 303);
  }

  /** What the frame shows of the visitor, whose session has to be open. */
  protected _describeVisitor(): Visitor {
    const { session } = this.request;
    const { facts, forms, traces } = this._services;
    const { handle, expiresAt } = session.meta;
    return {
      user: this._user(),
      cartCount: countPies(session.cart),
      strip: {
        backendName: facts.backendName,
        handle,
        expiresAt,
        now: facts.now(),
        form: handle === null ? undefined : forms.take(handle),
        trace: traces.describe(this.request),
      },
    };
  }

  #requireLogin({ back, ...demand }: UserDemand): string {
    try {
      return this.requireLogin(demand);
    } catch (refusal) {
      if (back === undefined || !(refusal instanceof Response)) throw refusal;
      throw redirect(`/login?returnTo=${encodeURIComponent(back)}`, 303);
    }
  }

  /** A form's notice, after the news that the previous session has ended. */
  #withEnd(notice: Notice | undefined): Notice | undefined {
    const end = this.#tellOfEnd();
    if (end === undefined || notice === undefined) return end ?? notice;
    return { kind: notice.kind, text: `${end.text} ${notice.text}` };
  }

  /** Tells the visitor once that the session before this one has ended. */
  #tellOfEnd(): Notice | undefined {
    const { session } = this.request;
    if (!session.meta.lapsed || session.isTold === true) return undefined;
    // Begins a new session. In a late request with a superseded id, the write is dropped.
    session.isTold = true;
    return info("You were signed out, or your session has expired.");
  }
}
