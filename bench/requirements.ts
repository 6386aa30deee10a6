/** Ends the program, with the remedy, where there is nothing to measure with. */
export function requireTools(): void {
  if (process.platform !== "linux") {
    stop("The benchmarks read CPU times from /proc, which only Linux has. Run them there.");
  }
  if (Bun.which("wrk") === null) {
    stop(
      "The benchmarks need wrk, which makes the load, and it is not in the PATH. " +
        "Install it: `apt-get install wrk` on Debian and Ubuntu, or see https://github.com/wg/wrk.",
    );
  }
}

/** Ends the program with a message. */
export function stop(message: string): never {
  console.error(message);
  process.exit(1);
}
