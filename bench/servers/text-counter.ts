import { ADDRESS, announce, tally } from "./announce.ts";
import { countInText } from "./text-counter-page.ts";

function count(request: Request): Response {
  tally.handled++;
  return countInText(request);
}

announce(Bun.serve({ ...ADDRESS, fetch: count }));
