// The first match counts: Edge and Opera also call themselves Chrome, and Chrome calls itself Safari.
const BROWSERS = [
  [/\bEdgA?\/(\d+)/, "Edge"],
  [/\bOPR\/(\d+)/, "Opera"],
  [/\b(?:Firefox|FxiOS)\/(\d+)/, "Firefox"],
  [/\b(?:Chrome|HeadlessChrome|CriOS)\/(\d+)/, "Chrome"],
  [/\bVersion\/(\d+)[\d.]* (?:Mobile\/\w+ )?Safari\//, "Safari"],
  [/\bSafari\//, "Safari"],
  [/\bcurl\/([\d.]+)/, "curl"],
] as const;

const SYSTEMS = [
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["Android", "Android"],
  ["Windows", "Windows"],
  ["Mac OS", "Mac"],
  ["Linux", "Linux"],
] as const;

/** What a user would call the device that sent this `User-Agent`, such as "Firefox 140 on Windows". */
export function describeDevice(userAgent: string | null): string {
  const browser = findBrowser(userAgent ?? "");
  const system = SYSTEMS.find(([token]) => userAgent?.includes(token))?.[1];
  return system === undefined ? browser : `${browser} on ${system}`;
}

function findBrowser(userAgent: string): string {
  for (const [pattern, name] of BROWSERS) {
    const match = pattern.exec(userAgent);
    if (match !== null) return match[1] === undefined ? name : `${name} ${match[1]}`;
  }
  return "Unknown browser";
}
