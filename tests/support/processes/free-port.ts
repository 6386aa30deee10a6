/** A port that was free a moment ago, for a server that is to come back to it after a restart. */
export async function freePort(): Promise<number> {
  const probe = Bun.serve({ port: 0, fetch: () => new Response() });
  const { port } = probe.url;
  await probe.stop(true);
  return Number(port);
}
