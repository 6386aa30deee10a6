// Serves guests from a database, on a port that it tells. Told to be full, it lets no file of its own grow
// any more, until it is told otherwise.
import { SqliteSessionBackend } from "../../../../src/backends/sqlite/backend.ts";
import { GuestHouse } from "../../guests.ts";

const [, , path = ""] = process.argv;

function limitFiles(size: number | "unlimited"): void {
  Bun.spawnSync(["prlimit", `--pid=${process.pid}`, `--fsize=${size}:`]);
}

console.error = () => undefined;
// By default the signal would end the process.
process.on("SIGXFSZ", () => undefined);
process.on("message", (message) => {
  limitFiles(message === "full" ? 0 : "unlimited");
  process.send?.(message);
});

const server = new GuestHouse({ sessionBackend: new SqliteSessionBackend(path) }).listen(0);
process.send?.(server.port);
