/** The cores: one for the server and another for the load, if there are two. */
const CORES = { server: "0", load: "1" };

const pinned =
  Bun.which("taskset") !== null &&
  Object.values(CORES).every((core) => Bun.spawnSync(["taskset", "-c", core, "true"]).success);

/** Returns the command pinned to its own core. */
export function pin(role: keyof typeof CORES, command: readonly string[]): string[] {
  return pinned ? ["taskset", "-c", CORES[role], ...command] : [...command];
}

/** Whether {@link pin} does anything, in words. */
export const PINNING = pinned
  ? `server on core ${CORES.server}, wrk on core ${CORES.load}`
  : "not pinned to cores: that takes taskset and two cores";
