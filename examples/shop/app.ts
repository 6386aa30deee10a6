import { openShop } from "./open-shop.ts";

// `bun run dev` serves what is exported here. Sessions are in a file: a restart logs nobody out.
export default openShop();
