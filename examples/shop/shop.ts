import type { SessionOptions, SessionStore } from "bunpie";
import { App, HttpError } from "bunpie";

import type { Cart } from "./cart.ts";
import { countOf, MAX_QUANTITY, parseQuantity, priced, quantityOf, setQuantity } from "./cart.ts";
import type { Product } from "./catalogue.ts";
import { findProduct } from "./catalogue.ts";
import { deviceOf } from "./device.ts";
import type { User } from "./users.ts";
import { authenticate, findUser } from "./users.ts";
import { cartPage } from "./views/cart.ts";
import type { Device } from "./views/devices.ts";
import { devicesPage } from "./views/devices.ts";
import { drawing } from "./views/drawing.ts";
import { homePage } from "./views/home.ts";
import type { Html, Notice } from "./views/layout.ts";
import { asset, page, STYLE } from "./views/layout.ts";
import { loginPage } from "./views/login.ts";

/** What a visitor's session holds. Each key may be missing: a new session is empty. */
export interface ShopSession {
  visits: number;
  cart: Cart;
  /** What the user's other devices call this one. */
  device: string;
  /** The page that asked for a login. */
  returnTo: string;
}

/** How long "stay logged in" lasts without a visit, in seconds: two weeks. */
const REMEMBER = 14 * 24 * 60 * 60;

/**
 * A shop for pies. Each method, and each field of handlers by verb, is a page: `cart` answers at
 * `/cart`. What begins with `#` is a helper and answers nothing.
 *
 * Every form is answered with a redirect, so that reloading a page never sends a form again.
 */
export class Shop extends App<ShopSession> {
  readonly #store: SessionStore;

  constructor(store: SessionStore, session: SessionOptions = {}) {
    super({ sessionBackend: store, session, maxBodyBytes: 16 * 1024 });
    this.#store = store;
  }

  index(): Response {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return this.#page("Pies", homePage(session.visits));
  }

  cart = {
    GET: (): Response =>
      this.#page("Your cart", cartPage(priced(this.request.session.cart), this.#user())),

    /** Sets how many pies of a kind are in the cart. */
    POST: async (): Promise<Response> => {
      const form = await this.request.form();
      const product = productIn(form);
      const quantity = parseQuantity(form.get("quantity"));
      if (quantity === undefined) {
        return this.#goTo("/cart", problem(`Choose a number from 0 to ${MAX_QUANTITY}.`));
      }
      await this.#changeCart((cart) => setQuantity(cart, product, quantity));
      const text = quantity === 0 ? `${product.name} is out.` : `${product.name}: ${quantity}.`;
      return this.#goTo("/cart", done(text));
    },
  };

  add = {
    /** Puts one more pie into the cart. */
    POST: async (): Promise<Response> => {
      const product = productIn(await this.request.form());
      await this.#changeCart((cart) =>
        setQuantity(cart, product, Math.min(quantityOf(cart, product) + 1, MAX_QUANTITY)),
      );
      return this.#goTo("/", done(`${product.name} is in your cart.`));
    },
  };

  order = {
    POST: (): Promise<Response> =>
      this.#asUser("/cart", async () => {
        // In one step, so that a double click orders once: the second finds an empty cart.
        let ordered: Cart = [];
        const isStored = await this.request.session.update((stored) => {
          ordered = stored.cart ?? [];
          delete stored.cart;
        });
        if (!isStored || ordered.length === 0) {
          return this.#goTo("/cart", problem("There is nothing to order."));
        }
        return this.#goTo("/", done(`Thank you! Pies on their way: ${countOf(ordered)}.`));
      }),
  };

  login = {
    GET: (): Response =>
      this.#user() === undefined ? this.#page("Log in", loginPage()) : this.redirect("/", 303),

    POST: async (): Promise<Response> => {
      const { session } = this.request;
      const form = await this.request.form();
      const login = form.get("login") ?? "";
      const user = await authenticate(login, form.get("password") ?? "");
      const isRemembered = form.has("remember");
      if (user === undefined) {
        return this.#page("Log in", loginPage({ login, isRemembered }), 401);
      }

      // A visitor's cart goes with them into the login. Another user's does not.
      session.login(user.id, isRemembered ? { remember: REMEMBER } : {});
      session.device = deviceOf(this.request.headers.get("user-agent"));
      const { returnTo = "/" } = session;
      delete session.returnTo;
      return this.#goTo(returnTo, done(`Welcome, ${user.name}.`));
    },
  };

  logout = {
    POST: (): Response => {
      this.request.session.destroy();
      // The old session is gone. This begins a new one, which knows nothing but the message.
      return this.#goTo("/", done("You are logged out."));
    },
  };

  devices = {
    GET: (): Promise<Response> =>
      this.#asUser("/devices", async (user) =>
        this.#page("Your devices", devicesPage(await this.#devicesOf(user), Date.now())),
      ),

    /** Ends one of the user's sessions. */
    POST: (): Promise<Response> =>
      this.#asUser("/devices", async (user) => {
        const handle = (await this.request.form()).get("handle");
        const session = (await this.sessions.list(user.id)).find((own) => own.handle === handle);
        // revoke() ends any session. That this one is the user's own is for us to check.
        if (session === undefined) {
          return this.#goTo("/devices", problem("That device is logged out already."));
        }
        await this.sessions.revoke(session.handle);
        return this.#goTo("/devices", done("That device is logged out."));
      }),
  };

  elsewhere = {
    /** Ends all of the user's sessions but this one. */
    POST: (): Promise<Response> =>
      this.#asUser("/devices", async (user) => {
        const { handle } = this.request.session.meta;
        const count = await this.sessions.revokeAll(user.id, { except: handle });
        return this.#goTo("/devices", done(`Devices logged out: ${count}.`));
      }),
  };

  style = { GET: (_version: string): Response => asset(STYLE, "text/css;charset=utf-8") };

  icon = { GET: (): Response => asset(drawing("lattice").toString(), "image/svg+xml") };

  /** Whoever is logged in. */
  #user(): User | undefined {
    return findUser(this.request.session.meta.userId);
  }

  #page(title: string, content: Html, status?: number): Response {
    const { session } = this.request;
    const notice = session.flash<Notice>("notice");
    const cartCount = countOf(session.cart);
    return page({ title, content, notice, cartCount, user: this.#user() }, status);
  }

  /** Answers a form: the browser fetches the page, which shows the notice once. */
  #goTo(path: string, notice: Notice): Response {
    this.request.session.flash("notice", notice);
    return this.redirect(path, 303);
  }

  /** For users only. Anyone else is asked to log in, and then comes back to `path`. */
  async #asUser(
    path: string,
    answer: (user: User) => Response | Promise<Response>,
  ): Promise<Response> {
    const user = this.#user();
    if (user !== undefined) return answer(user);
    this.request.session.returnTo = path;
    return this.#goTo("/login", problem("Please log in first."));
  }

  /** As one step, so that of two clicks in two tabs neither undoes the other. */
  #changeCart(change: (cart: Cart) => void): Promise<boolean> {
    return this.request.session.update((stored) => change((stored.cart ??= [])));
  }

  async #devicesOf(user: User): Promise<Device[]> {
    const sessions = await this.sessions.list(user.id);
    const current = this.request.session.meta.handle;
    return Promise.all(
      sessions.map(async ({ handle, createdAt, expiresAt }) => {
        // A session's handle is also what the backend knows it by.
        const { device } = (await this.#store.load(handle)) as Partial<ShopSession>;
        return { handle, device, createdAt, expiresAt, isCurrent: handle === current };
      }),
    );
  }
}

function productIn(form: URLSearchParams): Product {
  const product = findProduct(form.get("product"));
  if (product === undefined) throw new HttpError(404, "We do not bake that pie.");
  return product;
}

function done(text: string): Notice {
  return { kind: "done", text };
}

function problem(text: string): Notice {
  return { kind: "problem", text };
}
