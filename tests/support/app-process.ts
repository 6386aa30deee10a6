/** A port that was free a moment ago, for a server that is to come back to it after a restart. */
export async function freePort(): Promise<number> {
  const probe = Bun.serve({ port: 0, fetch: () => new Response() });
  const { port } = probe.url;
  await probe.stop(true);
  return Number(port);
}

/** An app in a process of its own. */
export class AppProcess {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;

  private constructor(child: Bun.Subprocess<"ignore", "pipe", "inherit">) {
    this.#child = child;
  }

  /** Runs `bun` with these arguments, and waits until it says where it listens. */
  static async start(args: readonly string[], env: Record<string, string>): Promise<AppProcess> {
    const child = Bun.spawn([process.execPath, ...args], {
      env: { ...process.env, ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    let output = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      output += chunk;
      if (output.includes("http://")) return new AppProcess(child);
    }
    throw new Error(`The app ended before it listened: ${output}`);
  }

  /** Ends the app by SIGTERM, and gives the exit code. */
  stop(): Promise<number> {
    this.#child.kill("SIGTERM");
    return this.#child.exited;
  }
}
