import { join } from "node:path";

import type { SessionOptions, SessionStore } from "bunpie";
import { CrossOriginError, files, HttpError, SessionStoreError, status } from "bunpie";

import type { Cart } from "./cart.ts";
import {
  countPies,
  findQuantity,
  MAX_QUANTITY,
  parseQuantity,
  priceLines,
  setQuantity,
  sumPrices,
} from "./cart.ts";
import type { Product } from "./catalogue.ts";
import { findProduct } from "./catalogue.ts";
import { Account } from "./pages/account.ts";
import { Chat } from "./pages/chat.ts";
import { Live } from "./pages/live.ts";
import { LoginPages } from "./pages/login.ts";
import { Proofs } from "./pages/proofs.ts";
import type { ShopFacts } from "./services.ts";
import { Services } from "./services.ts";
import type { Order } from "./session.ts";
import { done, info, problem } from "./session.ts";
import { cartPage, receiptPage } from "./views/cart.ts";
import { drawing } from "./views/drawing.ts";
import { describeError, errorPage } from "./views/error.ts";
import { homePage } from "./views/home.ts";
import { renderPage } from "./views/layout.ts";

/**
 * A shop for pies. Each method, and each field of handlers by verb, is a page: `cart` answers at
 * `/cart`. Members that begin with `#` or `_` are helpers, not pages.
 *
 * Every form is answered with a redirect, so that reloading a page never sends a form again.
 */
export class Shop extends LoginPages {
  readonly #proofs: Proofs;

  constructor(sessionBackend: SessionStore, facts: ShopFacts, session: SessionOptions = {}) {
    const services = new Services(facts);
    super(services, {
      sessionBackend,
      maxBodyBytes: 16 * 1024,
      session: {
        ...session,
        onEvent: (event) => services.noteEvent(event),
        // A page that only waits for its session's end does not restart the idle timeout.
        renews: ({ url }) => !url.includes("/account/watch/"),
      },
    });
    this.own(facts.db);
    this.use((request, next) => {
      services.activity.noteRequest();
      return services.traces.follow(request, next);
    });
    this.#proofs = new Proofs(services, (request) => this.fetch(request));
    this.mount("/proofs", this.#proofs);
    this.mount("/account", new Account(services));
    this.mount("/chat", new Chat(services));
    this.mount("/live", new Live(services));
  }

  assets = files(join(import.meta.dir, "public"));

  async index(): Promise<Response> {
    return this._page("Bunpie", homePage(await this.#proofs._describe()));
  }

  // The cart

  cart = {
    GET: (): Promise<Response> =>
      this._page("Your cart", cartPage(priceLines(this.request.session.cart), this._user())),

    /** Sets how many pies of a kind are in the cart. */
    POST: async (): Promise<Response> => {
      const form = await this.request.form();
      const product = findProductIn(form);
      const quantity = parseQuantity(form.get("quantity"));
      if (quantity === undefined) {
        return this._goTo("/cart", problem(`Choose a number from 0 to ${MAX_QUANTITY}.`));
      }
      await this.#changeCart((cart) => setQuantity(cart, product, quantity));
      const text = quantity === 0 ? `${product.name} removed.` : `${product.name}: ${quantity}.`;
      return this._goTo("/cart", done(text));
    },
  };

  add = {
    /** Puts one more pie into the cart. */
    POST: async (): Promise<Response> => {
      const product = findProductIn(await this.request.form());
      await this.#changeCart((cart) =>
        setQuantity(cart, product, Math.min(findQuantity(cart, product) + 1, MAX_QUANTITY)),
      );
      // Return to the same pie, not to the top of the page.
      return this._goTo(`/#${product.id}`, done(`${product.name} is in your cart.`));
    },
  };

  order = {
    /** The receipt. */
    GET: (): Promise<Response> => {
      const { order } = this.request.session;
      if (order === undefined) return this._goTo("/cart", info("There is no order yet."));
      return this._page("Thank you", receiptPage(order));
    },

    /** Turns the cart into a receipt in one step, so the second of two clicks finds the receipt. */
    POST: async (): Promise<Response> => {
      this._requireUser({ back: "/cart" });
      const { session } = this.request;
      const isStored = await session.update((stored) => {
        const order = this.#toOrder(stored.cart);
        if (order === undefined) return;
        stored.order = order;
        delete stored.cart;
      });
      if (!isStored || session.order === undefined) {
        return this._goTo("/cart", info("There is nothing to order."));
      }
      return this._goTo("/order");
    },
  };

  /** Who the visitor is and which process answers, as JSON for the crash trial. */
  whoami() {
    const name = this._user()?.name ?? null;
    return { process: process.pid, name, pies: countPies(this.request.session.cart) };
  }

  icon() {
    return status(200, drawing("lattice").toString(), {
      "content-type": "image/svg+xml",
      "cache-control": "public, max-age=3600",
    });
  }

  /** Sends browsers an error page in the shop's look; programs get JSON or text. */
  override onError(error: HttpError): unknown {
    if (!(this.request.headers.get("accept") ?? "").includes("text/html"))
      return super.onError(error);
    const { title, text } = describeError(error);
    const content = errorPage(error.status, text);
    // A request that failed before its session was opened has none.
    const isOpen = !(
      error.cause instanceof CrossOriginError || error.cause instanceof SessionStoreError
    );
    const visitor = isOpen ? this._describeVisitor() : { user: undefined, cartCount: 0 };
    const page = { path: this.request.path, title, content, notice: undefined, visitor };
    return renderPage(page, error.status, error.headers);
  }

  /** Atomically, so that two clicks in two tabs are both kept. */
  #changeCart(change: (cart: Cart) => void): Promise<boolean> {
    return this.request.session.update((stored) => change((stored.cart ??= [])));
  }

  #toOrder(cart: Cart = []): Order | undefined {
    const lines = priceLines(cart);
    if (lines.length === 0) return undefined;
    const number = crypto.randomUUID().slice(0, 8).toUpperCase();
    const at = this._services.facts.now();
    return { number, pies: countPies(cart), total: sumPrices(lines), at };
  }
}

function findProductIn(form: URLSearchParams): Product {
  const product = findProduct(form.get("product"));
  if (product === undefined) throw new HttpError(404, "We do not bake that pie.");
  return product;
}
