import type { App } from "bunpie";

import { quiet } from "./quiet.ts";

/** Where an app is served. The app ends with the block that holds this. */
interface Served extends AsyncDisposable {
  readonly port: number;
  readonly url: URL;
}

/** Serves an app on a free port, and keeps what it says about that off the screen. */
export function serve(app: Pick<App, "listen" | "close">): Served {
  using _info = quiet("info");
  const { port = 0, url } = app.listen({ port: 0, hostname: "127.0.0.1" });
  return { port, url, [Symbol.asyncDispose]: () => app.close() };
}
