import { setTimeout as sleep } from "node:timers/promises";

import { eventStream } from "bunpie";

import { Site } from "../site.ts";
import { activityLine, figures, livePage } from "../views/live.ts";

/** How often open pages get new figures, in milliseconds. */
const PERIOD = 1_000;

/** The activity of this process: counters, a plot of the last minute, events in plain words. */
export class Live extends Site {
  index(): Promise<Response> {
    return this._page("Live", livePage(this.#drawFigures(), this._services.activity.linesAfter(0)));
  }

  /** The page's content as an event stream. A browser that reconnects sends its last line's id, and misses none. */
  stream(): Response {
    const { activity } = this._services;
    const drawFigures = (): ReturnType<typeof figures> => this.#drawFigures();
    let last = Number(this.request.lastEventId ?? this.request.query("after")) || 0;
    return eventStream(async function* (signal) {
      for (;;) {
        yield { event: "figures", data: drawFigures() };
        for (const line of activity.linesAfter(last)) {
          last = line.id;
          yield { event: "line", id: line.id, data: activityLine(line) };
        }
        await sleep(PERIOD, undefined, { signal });
      }
    });
  }

  #drawFigures(): ReturnType<typeof figures> {
    return figures(this.sessions.stats(), this._services.activity.lastMinute());
  }
}
