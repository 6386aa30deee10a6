// What Bun takes for a request by itself. Everything else is measured by this.
import { ADDRESS, announce, tally } from "./announce.ts";

announce(
  Bun.serve({
    ...ADDRESS,
    fetch: () => {
      tally.handled++;
      return new Response("hello");
    },
  }),
);
