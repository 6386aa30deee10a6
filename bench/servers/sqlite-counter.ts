// The hand-written counter on raw `bun:sqlite`, served: bun sqlite-counter.ts normal|full <file>
import { ADDRESS, announce, tally } from "./announce.ts";
import { isBare, isPage } from "./by-hand.ts";
import { createSqliteCounter } from "./sqlite-counter-page.ts";

const [synchronous = "", file = ""] = process.argv.slice(2);
const countInRow = createSqliteCounter(file, synchronous);

function count(request: Request): Response {
  tally.handled++;
  return isBare(request) ? new Response("hello") : countInRow(request, isPage(request));
}

announce(Bun.serve({ ...ADDRESS, fetch: count }));
