import type { AppRequest, Session, SessionShape } from "bunpie";
import {
  App,
  eventStream,
  files,
  html,
  HttpError,
  InMemorySessionBackend,
  redirect,
  routes,
  Sessions,
  status,
} from "bunpie";

// Members without types of their own: `declaration: true` has to find a name for each.
interface Common {
  user: string;
}

export abstract class Base<Data extends Common> extends App<Data> {
  greet() {
    return html`<p>Hello, ${this.request.session.user ?? "stranger"}</p>`;
  }
}

export class Site extends Base<{ user: string; cart: string[] }> {
  index = routes({
    "/": () => this.redirect("/greet"),
    "/:year/:month?": (year, month) => status(201, { year, month }),
    "/*": files(import.meta.dir),
  });

  assets = files(import.meta.dir, { guard: () => void this.requireLogin() });

  item = {
    GET: () => this.link(this.cart, "tea"),
    DELETE: async () => (await this.request.files())[0],
  };

  cart(product: string) {
    const { session } = this.request;
    session.cart = [...(session.cart ?? []), product];
    return session.cart.length;
  }

  away = { POST: () => redirect("/") };

  async *live() {
    yield "one";
  }

  events() {
    return eventStream(async function* () {
      yield { data: 1 };
    });
  }

  me() {
    return this.request.session.meta;
  }

  protected _draft() {
    return this.response;
  }

  protected _served() {
    return this.listen(0);
  }

  protected _mounted() {
    return { fetch: this.fetch, websocket: this.websocket, routes: this.routes };
  }

  protected _part() {
    return this.request.parts();
  }

  protected _session() {
    return this.request.session;
  }

  override onError(error: HttpError) {
    return status(error.status, error.message);
  }
}

export const site = new Site({ log: false });
export const sessions = new Sessions<{ visits: number }>({ backend: new InMemorySessionBackend() });
export const handler = sessions.wrap((request, session) => {
  session.visits = (session.visits ?? 0) + 1;
  return new Response(`${request.method} ${session.visits}`);
});
export const opened = async (request: Request) => (await sessions.open(request)).session;
export const stats = () => sessions.stats();
export const list = (user: string) => sessions.list(user);

/** A function of one's own over any session, and over any request. */
export function visitor<Data extends SessionShape<Data>>(session: Session<Data>) {
  return session.meta.userId;
}
export const page = (request: AppRequest<{ user: string }>) => request.page;

type UserId = string & { readonly brand: "user" };
interface Branch {
  readonly branches: readonly Branch[];
}

/** What JSON can hold, in the ways in which types say it. */
export class HoldsMuch extends App<{
  id: UserId;
  tree: Branch;
  any: any; // oxlint-disable-line typescript/no-explicit-any -- some people do
  unknown: unknown;
  pair: [number, string?];
  table: Record<string, { until: number | null }[]>;
}> {}
export class HoldsAnything extends App<Record<string, number>> {}

// @ts-expect-error -- every session has a `login`
export class TakesAName extends App<{ login: string }> {}
// @ts-expect-error -- JSON leaves a Map empty
export class HoldsAMap extends App<{ carts: { items: Map<string, number> }[] }> {}
// @ts-expect-error -- JSON makes a string of a Date
export class HoldsADate extends App<{ when: Date }> {}

const response = await site.fetch(new Request("http://localhost/cart/tea"));
console.log(response.status, await response.text());
