import { html } from "bunpie";

import { PRODUCTS } from "../catalogue.ts";
import { drawing } from "./drawing.ts";
import { formatMoney } from "./format.ts";
import type { Html } from "./layout.ts";

/** The pies, and how often the visitor has been here. */
export function homePage(visits: number): Html {
  return html`
    <p class="lead">
      Baked this morning. You have visited ${visits} ${visits === 1 ? "time" : "times"}.
    </p>
    <ul class="pies">
      ${PRODUCTS.map(
        (product) => html`
          <li class="card ${product.id}">
            ${drawing(product.lid)}
            <h2>${product.name}</h2>
            <p>${product.description}</p>
            <form method="post" action="/add">
              <span class="price">${formatMoney(product.price)}</span>
              <button name="product" value="${product.id}">
                Add<span class="hidden"> ${product.name} to the cart</span>
              </button>
            </form>
          </li>
        `,
      )}
    </ul>
  `;
}
