import { afterAll } from "bun:test";

import { SqliteSessionBackend } from "../../src/backends/sqlite.ts";
import { Folder } from "../support/folder.ts";
import { describeStore } from "../support/store-contract.ts";
const folder = new Folder();
afterAll(() => folder.remove());
describeStore(
  "SqliteSessionBackend",
  () => new SqliteSessionBackend(folder.file(`${crypto.randomUUID()}.db`)),
);
