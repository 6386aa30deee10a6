/** What a pie's lid looks like. */
export type Lid = "lattice" | "open" | "nuts";

/** A pie that can be bought. Prices are in cents. */
export interface Product {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly price: number;
  readonly lid: Lid;
}

/** Everything that the shop sells, in the order in which it is shown. */
export const PRODUCTS: readonly Product[] = [
  {
    id: "apple",
    name: "Apple pie",
    description: "Tart apples, a little cinnamon, and a butter crust under a lattice.",
    price: 1850,
    lid: "lattice",
  },
  {
    id: "cherry",
    name: "Cherry pie",
    description: "Sour cherries that were stoned by hand, and not much sugar.",
    price: 2100,
    lid: "lattice",
  },
  {
    id: "blueberry",
    name: "Blueberry pie",
    description: "Wild blueberries with lemon zest. It stains, and it is worth it.",
    price: 2200,
    lid: "lattice",
  },
  {
    id: "pumpkin",
    name: "Pumpkin pie",
    description: "Roasted pumpkin, ginger and nutmeg, with a spoon of cream on top.",
    price: 1700,
    lid: "open",
  },
  {
    id: "lime",
    name: "Key lime pie",
    description: "Sharp lime custard on a crumb base. Served cold.",
    price: 1950,
    lid: "open",
  },
  {
    id: "pecan",
    name: "Pecan pie",
    description: "Toasted pecans in dark syrup, one ring of them for show.",
    price: 2400,
    lid: "nuts",
  },
];

const BY_ID = new Map(PRODUCTS.map((product) => [product.id, product]));

/** The product with this id, which may come straight from a form; `undefined` for none. */
export function findProduct(id: string | null): Product | undefined {
  return id === null ? undefined : BY_ID.get(id);
}
