import type { Html } from "bunpie";
import { html } from "bunpie";

import type { PricedLine } from "../cart.ts";
import { MAX_QUANTITY, sumPrices } from "../cart.ts";
import type { Order } from "../session.ts";
import type { User } from "../users.ts";
import { drawing } from "./drawing.ts";
import { formatCount, formatMoney } from "./format.ts";
import { timeOfDay } from "./time.ts";

/** The cart; `user` is who may order. */
export function cartPage(lines: readonly PricedLine[], user: User | undefined): Html {
  if (lines.length === 0) {
    return html`
      <p class="lead">It is empty so far.</p>
      <p><a class="button" href="/">Choose a pie</a></p>
    `;
  }
  return html`
    <ul class="lines">
      ${lines.map(
        ({ product, quantity, price }) => html`
          <li class="card pie ${product.id}">
            ${drawing(product.lid)}
            <div class="what">
              <h2>${product.name}</h2>
              <p>${quantity} × ${formatMoney(product.price)}</p>
            </div>
            <form method="post" action="/cart">
              <input type="hidden" name="product" value="${product.id}" />
              <label>
                <span class="hidden">How many of ${product.name}</span>
                <input
                  name="quantity"
                  type="number"
                  inputmode="numeric"
                  min="0"
                  max="${MAX_QUANTITY}"
                  value="${quantity}"
                  required
                />
              </label>
              <button class="quiet">
                Change<span class="hidden"> the number of ${product.name}</span>
              </button>
            </form>
            <form method="post" action="/cart">
              <input type="hidden" name="product" value="${product.id}" />
              <button class="quiet" name="quantity" value="0">
                Remove<span class="hidden"> ${product.name}</span>
              </button>
            </form>
            <p class="price">${formatMoney(price)}</p>
          </li>
        `,
      )}
    </ul>
    <div class="total">
      <p>Total <strong class="price">${formatMoney(sumPrices(lines))}</strong></p>
      ${
        user === undefined
          ? html`<a class="button" href="/login?returnTo=/cart">Log in to order</a>`
          : html`<form method="post" action="/order"><button>Order</button></form>`
      }
    </div>
  `;
}

/** What was ordered. */
export function receiptPage({ number, pies, total, at }: Order): Html {
  return html`
    <p class="lead">
      ${formatCount(pies, "pie")} for ${formatMoney(total)}. A real shop would be baking by now.
    </p>
    <p>Order <strong>${number}</strong>, at ${timeOfDay(at)}.</p>
    <p class="after"><a class="button" href="/">Choose another pie</a></p>
  `;
}
