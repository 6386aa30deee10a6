/** Ends the program, with the remedy, if a tool that the benchmark needs is missing. */
export function requireTools(): void {
  if (process.platform !== "linux") {
    stop("The benchmarks read CPU times from /proc, which only Linux has. Run them there.");
  }
  if (Bun.which("wrk") === null) {
    stop(
      "The benchmarks need wrk, which generates the load, but it is not in the PATH. " +
        "Install it: `apt-get install wrk` on Debian and Ubuntu, or see https://github.com/wg/wrk.",
    );
  }
}

/** Ends the program with a message. */
export function stop(message: string): never {
  console.error(message);
  process.exit(1);
}
