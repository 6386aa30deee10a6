import { chownSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

import { Folder } from "../folder.ts";
import { freePort } from "../processes/free-port.ts";
import { hasProgram } from "./services.ts";

// Debian keeps the server's programs out of everybody's path.
const [DEBIAN = "initdb"] = new Bun.Glob("/usr/lib/postgresql/*/bin/initdb").scanSync();
const INITDB = Bun.which("initdb") ?? DEBIAN;
/** A crash of the server loses nothing that the system has; to wait for the disk takes seconds. */
const IN_A_HURRY = "fsync=off";

/** Whether this machine can start PostgreSQL servers for tests that break them. */
export const canStartPostgres = hasProgram(INITDB, "apt-get install postgresql");

/** A PostgreSQL server that belongs to one test, which may break it. */
export class PostgresServer implements AsyncDisposable {
  readonly #port: number;
  readonly #settings: readonly string[];
  readonly #folder = new Folder();
  #process: Bun.Subprocess | undefined;

  private constructor(port: number, settings: readonly string[]) {
    this.#port = port;
    this.#settings = settings;
  }

  /** Starts a server with settings such as `max_connections=5`. */
  static async start(...settings: readonly string[]): Promise<PostgresServer> {
    const server = new PostgresServer(await freePort(), settings);
    await server.#make();
    await server.start();
    return server;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.#port}/postgres`;
  }

  /** Starts the server again, on the same port and with the same files. */
  async start(): Promise<void> {
    const place = [`port=${this.#port}`, `unix_socket_directories=${this.#folder.path}`];
    const settings = [...place, IN_A_HURRY, ...this.#settings].flatMap((setting) => [
      "-c",
      setting,
    ]);
    this.#process = this.#spawn("postgres", "-D", this.#folder.file("data"), ...settings);
    while (!(await this.#answers())) await Bun.sleep(20);
  }

  /** Ends the server as a crash would: what it has not written to its log is gone. */
  async crash(): Promise<void> {
    this.#process?.kill("SIGQUIT");
    await this.#process?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
    this.#folder.remove();
  }

  async #make(): Promise<void> {
    if (process.geteuid?.() === 0) {
      const [uid, gid] = ["-u", "-g"].map((which) =>
        Number(Bun.spawnSync(["id", which, "postgres"]).stdout.toString()),
      );
      chownSync(this.#folder.path, uid ?? 0, gid ?? 0);
    }
    const data = this.#folder.file("data");
    await this.#spawn("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync").exited;
  }

  /** The server refuses to run as root. */
  #spawn(program: string, ...args: readonly string[]): Bun.Subprocess {
    const command = [join(dirname(realpathSync(INITDB)), program), ...args];
    const asPostgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
    return Bun.spawn(process.geteuid?.() === 0 ? [...asPostgres, ...command] : command, {
      cwd: this.#folder.path,
      stdio: ["ignore", "ignore", "ignore"],
    });
  }

  async #answers(): Promise<boolean> {
    const sql = new Bun.SQL(this.url, { max: 1 });
    try {
      await sql`SELECT 1`;
      return true;
    } catch {
      return false;
    } finally {
      await sql.close();
    }
  }
}
