/** The oldest Bun that is known to work; `engines` in package.json says the same. */
const MIN_BUN = "1.4.5";

/** @throws Error if this version of Bun is too old. */
export function checkRuntime(version: string): void {
  if (Bun.semver.order(version, MIN_BUN) >= 0) return;
  throw new Error(
    `Bunpie needs Bun ${MIN_BUN} or newer, and this is Bun ${version}. Run \`bun upgrade\`.`,
  );
}

checkRuntime(Bun.version);
