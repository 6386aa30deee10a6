/** A port that was free a moment ago, for a server that is to come back to it after a restart. */
export async function freePort(): Promise<number> {
  const probe = Bun.serve({ port: 0, fetch: () => new Response() });
  const { port } = probe.url;
  await probe.stop(true);
  return Number(port);
}

/** Where an app runs. */
interface AppProcessOptions {
  readonly env: Record<string, string>;
  readonly cwd?: string;
}

/** An app in a process of its own, which ends with the block that holds it, failed or not. */
export class AppProcess implements AsyncDisposable {
  /** Where it listens. */
  readonly url: string;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;

  private constructor(url: string, child: Bun.Subprocess<"ignore", "pipe", "inherit">) {
    this.url = url;
    this.#child = child;
  }

  /** Runs `bun` with these arguments, and waits until it says where it listens. */
  static async start(args: readonly string[], options: AppProcessOptions): Promise<AppProcess> {
    const child = Bun.spawn([process.execPath, ...args], {
      ...options,
      env: { ...process.env, ...options.env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    let output = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      output += chunk;
      const url = /http:\/\/\S+(?=\s)/.exec(output)?.[0];
      if (url !== undefined) return new AppProcess(url, child);
    }
    throw new Error(`The app ended before it listened: ${output}`);
  }

  /** For a {@link Client}: sends a request to where the app listens. */
  fetch(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    return fetch(new Request(new URL(pathname + search, this.url).href, request), {
      redirect: "manual",
    });
  }

  /** Ends the app by SIGTERM, and gives the exit code. */
  stop(): Promise<number> {
    this.#child.kill("SIGTERM");
    return this.#child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
