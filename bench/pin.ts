/** The server has one core to itself, the load another, where there are two to be had. */
const CORES = { server: "0", load: "1" };

const pinned =
  Bun.which("taskset") !== null &&
  Object.values(CORES).every((core) => Bun.spawnSync(["taskset", "-c", core, "true"]).success);

/** The command, kept on its own core. */
export function pin(role: keyof typeof CORES, command: readonly string[]): string[] {
  return pinned ? ["taskset", "-c", CORES[role], ...command] : [...command];
}

/** Whether {@link pin} does anything, in words. */
export const PINNING = pinned
  ? `server on core ${CORES.server}, wrk on core ${CORES.load}`
  : "not pinned to cores: that takes taskset and two cores";
