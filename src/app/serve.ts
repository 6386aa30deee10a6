/**
 * Calls `Bun.serve`; if the port is in use, its error says what to do.
 *
 * @throws Error if the server cannot listen.
 */
export function serve(options: Bun.Serve.Options<unknown>): Bun.Server<unknown> {
  try {
    return Bun.serve(options);
  } catch (cause) {
    if (!isPortInUse(cause)) throw cause;
    const port = "port" in options ? options.port : process.env.PORT;
    const error = new Error(
      `Port ${port ?? 3000} is in use. Stop the program that listens there, or choose another port: PORT=${Number(port ?? 3000) + 1} bun run …`,
      { cause },
    );
    // The message says everything; the call of listen() is in the cause's stack.
    error.stack = `Error: ${error.message}`;
    // Under --hot, an uncaught error would leave a process that serves nothing.
    if (!process.execArgv.includes("--hot")) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

function isPortInUse(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === "EADDRINUSE";
}
