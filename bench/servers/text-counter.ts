import { ADDRESS, announce, tally } from "./announce.ts";
import { isBare, isPage } from "./by-hand.ts";
import { countInText } from "./text-counter-page.ts";

function count(request: Request): Response {
  tally.handled++;
  return isBare(request) ? new Response("hello") : countInText(request, isPage(request));
}

announce(Bun.serve({ ...ADDRESS, fetch: count }));
