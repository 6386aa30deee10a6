import type { Html } from "bunpie";
import { html } from "bunpie";

import { PRODUCTS } from "../catalogue.ts";
import { drawing } from "./drawing.ts";
import { formatMoney } from "./format.ts";
import type { ProofsView } from "./proofs.ts";
import { proofsView } from "./proofs.ts";

/** The three proofs, then the pies. */
export function homePage(proofs: ProofsView): Html {
  return html`
    <h1>A pie shop that loses nothing</h1>
    <p class="lead">Three promises of Bunpie's sessions. Each button runs a real trial.</p>
    ${proofsView(proofs)}
    <h2 class="section" id="pies">Pies</h2>
    <ul class="pies">
      ${PRODUCTS.map(
        (product) => html`
          <li class="card ${product.id}" id="${product.id}">
            ${drawing(product.lid)}
            <h3>${product.name}</h3>
            <p>${product.description}</p>
            <form method="post" action="/add" data-in-place>
              <input type="hidden" name="product" value="${product.id}" />
              <span class="price">${formatMoney(product.price)}</span>
              <button>Add<span class="hidden"> ${product.name} to the cart</span></button>
            </form>
          </li>
        `,
      )}
    </ul>
  `;
}
