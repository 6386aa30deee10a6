// The cost of a request in Bun alone: the base of all ratios.
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
