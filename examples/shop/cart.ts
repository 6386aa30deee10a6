import type { Product } from "./catalogue.ts";
import { findProduct } from "./catalogue.ts";

/** A cart in the session: ids and quantities. Prices are looked up when the cart is shown. */
export type Cart = CartLine[];

interface CartLine {
  product: string;
  quantity: number;
}

/** A line as it is shown. */
export interface PricedLine {
  readonly product: Product;
  readonly quantity: number;
  /** In cents. */
  readonly price: number;
}

/** The most of one pie that a cart holds. */
export const MAX_QUANTITY = 20;

/** How many pies there are in the cart. */
export function countPies(cart: Cart = []): number {
  return cart.reduce((count, line) => count + line.quantity, 0);
}

/** How many pies of one kind there are in the cart. */
export function findQuantity(cart: Cart = [], product: Product): number {
  return cart.find((line) => line.product === product.id)?.quantity ?? 0;
}

/** Changes the cart so that it holds this many pies of one kind; 0 removes the line. */
export function setQuantity(cart: Cart, product: Product, quantity: number): void {
  const index = cart.findIndex((line) => line.product === product.id);
  const line = { product: product.id, quantity };
  if (index === -1) cart.push(line);
  else cart[index] = line;
  if (quantity === 0) cart.splice(index, 1);
}

/** The cart with names and prices, without pies that are no longer sold. */
export function priceLines(cart: Cart = []): PricedLine[] {
  return cart.flatMap(({ product: id, quantity }) => {
    const product = findProduct(id);
    return product === undefined ? [] : [{ product, quantity, price: product.price * quantity }];
  });
}

/** What all lines cost together, in cents. */
export function sumPrices(lines: readonly PricedLine[]): number {
  return lines.reduce((total, line) => total + line.price, 0);
}

/** The quantity in a form field; `undefined` unless it is a whole number from 0 to the maximum. */
export function parseQuantity(text: string | null): number | undefined {
  if (text === null || !/^\d{1,3}$/.test(text)) return undefined;
  const quantity = Number(text);
  return quantity <= MAX_QUANTITY ? quantity : undefined;
}
