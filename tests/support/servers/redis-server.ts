import type { Subprocess } from "bun";

import { Folder } from "../folder.ts";
import { freePort } from "../processes/free-port.ts";
import { hasProgram } from "./services.ts";

/** Whether this machine can run one. */
export const hasRedisServer = hasProgram("redis-server", "apt-get install redis-server");

/** A Redis server that belongs to one test, which may break it. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #settings: readonly string[];
  /** Where the server keeps its files. */
  readonly folder = new Folder();
  #process: Subprocess | undefined;

  private constructor(port: number, settings: readonly string[]) {
    this.port = port;
    this.#settings = settings;
  }

  /** A server that is still to be started. It keeps nothing on disk, unless `settings` say so. */
  static async prepare(...settings: string[]): Promise<RedisServer> {
    return new RedisServer(await freePort(), settings);
  }

  static async start(...settings: string[]): Promise<RedisServer> {
    const server = await RedisServer.prepare(...settings);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts the server; again, on the same port and with the same files. */
  async start(): Promise<void> {
    const settings = {
      port: String(this.port),
      dir: this.folder.path,
      save: "",
      "enable-debug-command": "yes",
      // It answers while it loads even a little.
      "loading-process-events-interval-bytes": "1024",
    };
    const fixed = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    // The test's own user, for when all others are locked out.
    fixed.push("--user", "test", "on", "nopass", "~*", "&*", "+@all");
    fixed.push(...this.#settings);
    this.#process = Bun.spawn(["redis-server", ...fixed], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    while (!(await this.#answers())) {
      if (this.#process.exitCode !== null)
        throw new Error(`redis-server refused ${fixed.join(" ")}`);
      await Bun.sleep(5);
    }
  }

  /** Ends the server as a loss of power would, but for what the system still has in its hands. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** The server stands still: it takes connections, and answers nothing. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Sends a command, on a connection of its own. */
  async command(command: string, ...args: string[]): Promise<unknown> {
    const client = new Bun.RedisClient(`redis://test:any@127.0.0.1:${this.port}`, {
      autoReconnect: false,
    });
    try {
      return (await client.send(command, args)) as unknown;
    } finally {
      client.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.folder.remove();
  }

  /** How often the server has carried out a command. */
  async calls(command: string): Promise<number> {
    const info = String(await this.command("INFO", "commandstats"));
    return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, "m").exec(info)?.[1] ?? 0);
  }

  #answers(): Promise<boolean> {
    return this.command("PING").then(
      () => true,
      () => false,
    );
  }
}
