// The first match counts: Edge and Opera also call themselves Chrome, and Chrome calls itself Safari.
const BROWSERS = [
  ["Edg", "Edge"],
  ["OPR", "Opera"],
  ["Firefox", "Firefox"],
  ["Chrome", "Chrome"],
  ["Safari", "Safari"],
  ["curl", "curl"],
] as const;

const SYSTEMS = [
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["Android", "Android"],
  ["Windows", "Windows"],
  ["Mac OS", "Mac"],
  ["Linux", "Linux"],
] as const;

/** What a user would call the device that sent this `User-Agent`, such as "Firefox on Windows". */
export function deviceOf(userAgent: string | null): string {
  const browser = nameOf(BROWSERS, userAgent ?? "") ?? "Unknown browser";
  const system = nameOf(SYSTEMS, userAgent ?? "");
  return system === undefined ? browser : `${browser} on ${system}`;
}

function nameOf(
  names: readonly (readonly [token: string, name: string])[],
  userAgent: string,
): string | undefined {
  return names.find(([token]) => userAgent.includes(token))?.[1];
}
