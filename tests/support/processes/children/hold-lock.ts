// Takes the write lock of a database, and holds it until it is told to let go.
import { Database } from "bun:sqlite";

const client = new Database(process.argv[2]);
client.run("BEGIN IMMEDIATE");
process.send?.("locked");
process.once("message", () => {
  client.run("ROLLBACK");
  client.close();
  process.exit(0);
});
