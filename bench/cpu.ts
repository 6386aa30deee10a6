/** A tick of `/proc`, in microseconds: Linux shows hundredths of a second, whatever it counts in. */
const TICK = 10_000;

/** The CPU time, user and system, that a process has used so far, in microseconds. */
export async function cpuTimeOf(pid: number): Promise<number> {
  return ticksIn(await Bun.file(`/proc/${pid}/stat`).text()) * TICK;
}

/** User and system time, in ticks, in the text of `/proc/<pid>/stat`. See `man 5 proc`. */
export function ticksIn(stat: string): number {
  // The second field is the program's name in parentheses, and may itself hold blanks and parentheses.
  const [, ...fields] = stat.slice(stat.lastIndexOf(")")).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
