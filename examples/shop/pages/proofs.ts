import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

import type { Session } from "bunpie";
import { routes } from "bunpie";

import type { CrashTrial } from "../proofs/crash.ts";
import { runRace } from "../proofs/race.ts";
import { loadThenSave, update } from "../proofs/two-ways.ts";
import type { Fetch } from "../proofs/visitor.ts";
import type { Services } from "../services.ts";
import type { ShopSession } from "../session.ts";
import { info, problem } from "../session.ts";
import { FRESH, Site } from "../site.ts";
import type { ProofsView } from "../views/proofs.ts";

const TWO_WAYS = readFileSync(join(import.meta.dir, "../proofs/two-ways.ts"), "utf8");
/** The source of the two ways, for the page. */
const SOURCE = { loadThenSave: cutBody("loadThenSave"), update: cutBody("update") };

const LOCAL = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** The three proofs on the first page. */
export class Proofs extends Site {
  readonly #fetch: Fetch;
  /** The crash in progress: one at a time. */
  #crash: ReturnType<CrashTrial> | undefined;

  constructor(services: Services, answer: Fetch) {
    super(services);
    this.#fetch = answer;
  }

  race = {
    POST: async (): Promise<Response> => {
      const { origin } = new URL(this.request.url);
      this.request.session.race = await runRace(origin, this.#fetch);
      return this._goTo("/#race");
    },
  };

  /** Where the race takes place, in sessions of its own. */
  pies = routes({
    "/": {
      GET: () => ({ pies: this.request.session.pies ?? 0 }),
      POST: () => {
        this.request.session.pies = 0;
      },
      DELETE: () => this.request.session.destroy(),
    },
    "/load-then-save": { POST: () => loadThenSave(this.request.session as Session<ShopSession>) },
    "/update": { POST: () => update(this.request.session as Session<ShopSession>) },
  });

  crash = {
    POST: async (): Promise<Response> => {
      const { crash } = this._services.facts;
      if (typeof crash === "string") return this._goTo("/#crash", info(crash));
      try {
        this.#crash ??= crash();
        this.request.session.crash = await this.#crash;
      } catch (error) {
        this.onReport(error, this.request.raw);
        return this._goTo("/#crash", problem("The trial failed. The log says why."));
      } finally {
        this.#crash = undefined;
      }
      return this._goTo("/#crash");
    },
  };

  /** Makes a link that logs in another browser, once. */
  other = {
    POST: async (): Promise<Response> => {
      const user = this._requireUser({ back: "/#elsewhere" });
      const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
      this._services.passes.set(secret, user.id);
      this.request.session.flash("pass", secret);
      return this._goTo("/#elsewhere");
    },
  };

  /** What the first page shows of the proofs. */
  async _describe(): Promise<ProofsView> {
    const { session } = this.request;
    const { crash, now } = this._services.facts;
    const user = this._user();
    const current = session.meta.handle;
    const secret = session.flash<string>("pass");
    return {
      now: now(),
      race: session.race,
      source: SOURCE,
      crash: session.crash,
      crashRefusal: typeof crash === "string" ? crash : undefined,
      user,
      isFresh: session.meta.authenticatedWithin(FRESH),
      link: secret === undefined ? undefined : this.#toLink(secret),
      others:
        user === undefined
          ? []
          : (await this.sessions.list(user.id, { current }))
              .filter((each) => !each.current)
              .toReversed(),
    };
  }

  /** The link for a window on this machine, and for a phone in the same network. */
  #toLink(secret: string): { readonly here: string; readonly phone: string } {
    const here = new URL(`/join/${secret}`, this.request.url);
    const phone = new URL(here);
    if (LOCAL.has(here.hostname)) {
      // Under its other name, this machine has separate cookies in the same browser.
      here.hostname = here.hostname === "localhost" ? "127.0.0.1" : "localhost";
      phone.hostname = findNetworkAddress() ?? phone.hostname;
    }
    return { here: here.href, phone: phone.href };
  }
}

/** The body of a function in two-ways.ts. */
function cutBody(name: string): string {
  const body = new RegExp(`function ${name}\\(.*{\\n([^]*?)\\n}`).exec(TWO_WAYS)?.[1];
  if (body === undefined) throw new Error(`two-ways.ts has no function ${name}.`);
  return body.replaceAll(/^ {2}/gm, "");
}

function findNetworkAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flat();
  return addresses.find((each) => each?.family === "IPv4" && !each.internal)?.address;
}
