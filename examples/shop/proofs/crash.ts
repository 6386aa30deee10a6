import { join } from "node:path";

import { Visitor } from "./visitor.ts";

/** What was observed after a process had been killed. */
export interface CrashResult {
  /** The process that was killed, and the one that answered next. */
  readonly killed: number;
  readonly survivor: number;
  /** How long no process answered, in milliseconds. */
  readonly down: number;
  /** Who the visitor still is, and how many pies they have; `null` for a stranger. */
  readonly name: string | null;
  readonly pies: number;
}

/** Kills a process, and reports what is left. */
export type CrashTrial = () => Promise<CrashResult>;

/** The response of `/whoami`. */
interface WhoAmI {
  readonly process: number;
  readonly name: string | null;
  readonly pies: number;
}

const WORKER = join(import.meta.dir, "worker.ts");
/** How long to wait for a response after the kill, in milliseconds. */
const TIMEOUT = 10_000;
const PIES = 3;

/**
 * Starts two processes of the shop on one port, over the same store. Ann logs in and puts pies into her
 * cart. Then the process that answers her next gets SIGKILL, and she asks again who she is.
 */
export async function runCrash(env: NodeJS.ProcessEnv): Promise<CrashResult> {
  await using first = await Worker.start(0, env);
  await using second = await Worker.start(first.port, env);
  const visitor = new Visitor(`http://127.0.0.1:${first.port}`, (request) => fetch(request));
  await visitor.post("/login", { as: "ann" });
  for (let count = 0; count < PIES; count++) await visitor.post("/add", { product: "cherry" });

  const before = await ask(visitor);
  const victim = before.process === first.pid ? first : second;
  victim.kill();
  const killedAt = performance.now();
  const after = await askAnother(visitor, before.process);
  const down = performance.now() - killedAt;
  // Until the process has ended, the kernel may still route connections to it.
  await victim.ended;
  await visitor.delete("/proofs/pies");
  const { name, pies } = after;
  return { killed: before.process, survivor: after.process, down: Math.ceil(down), name, pies };
}

async function ask(visitor: Visitor): Promise<WhoAmI> {
  return (await (await visitor.get("/whoami")).json()) as WhoAmI;
}

/** The response of another process than the one being killed. */
async function askAnother(visitor: Visitor, killed: number): Promise<WhoAmI> {
  const deadline = performance.now() + TIMEOUT;
  for (;;) {
    try {
      const answer = await ask(visitor);
      if (answer.process !== killed) return answer;
    } catch (error) {
      // The kernel may have routed this connection to the dead process.
      if (performance.now() > deadline) throw error;
    }
    await Bun.sleep(1);
  }
}

/** A process of the shop; killed when this object is disposed of. */
class Worker implements AsyncDisposable {
  readonly port: number;
  readonly #process: Bun.Subprocess;

  private constructor(port: number, subprocess: Bun.Subprocess) {
    this.port = port;
    this.#process = subprocess;
  }

  /** @throws Error if the process ends before it serves. */
  static async start(port: number, env: NodeJS.ProcessEnv): Promise<Worker> {
    const { promise: served, resolve } = Promise.withResolvers<number>();
    const subprocess = Bun.spawn([process.execPath, WORKER], {
      env: { ...env, WORKER_PORT: String(port) },
      stdio: ["ignore", "ignore", "inherit"],
      ipc: (message) => resolve(message as number),
    });
    const ended = subprocess.exited.then((code) => {
      throw new Error(`A process of the shop ended with ${code} before it served.`);
    });
    return new Worker(await Promise.race([served, ended]), subprocess);
  }

  get pid(): number {
    return this.#process.pid;
  }

  get ended(): Promise<number> {
    return this.#process.exited;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.ended;
  }
}
