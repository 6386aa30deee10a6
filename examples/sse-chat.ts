// A chat over server-sent events: lines arrive by EventSource, and are sent by a form.
// Run it: bun examples/sse-chat.ts

import { EventEmitter, once } from "node:events";

import { App, eventStream, html } from "bunpie";

class Chat extends App {
  readonly #lines: string[] = [];
  /** Emits "line" for each new line, in this process only: for several, use Redis or PostgreSQL. */
  readonly #news = new EventEmitter().setMaxListeners(0);

  index() {
    return html`<!doctype html>
      <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
        <meta name="viewport" content="width=device-width" />
        <title>Chat</title>
        <main style="max-width: 40rem; margin: auto; padding: 0 1rem">
          <h1>Chat</h1>
          <ul id="lines" role="log" aria-label="Lines"></ul>
          <form id="form" method="post" action="/say">
            <label>Say <input name="text" maxlength="200" autocomplete="off" required /></label>
            <button>Send</button>
          </form>
        </main>
        <script>
          new EventSource("/lines").onmessage = ({ data }) => {
            const line = document.createElement("li");
            line.textContent = data;
            lines.append(line);
          };
          form.onsubmit = (event) => {
            event.preventDefault();
            fetch("/say", { method: "POST", body: new URLSearchParams(new FormData(form)) });
            form.reset();
          };
        </script>
      </html>`;
  }

  say = {
    POST: async () => {
      this.#lines.push((await this.request.form()).get("text") ?? "");
      this.#news.emit("line");
      return this.redirect("/", 303);
    },
  };

  lines() {
    const [lines, news] = [this.#lines, this.#news];
    // A browser that reconnects sends the id of its last event, so it misses none.
    const last = Number.parseInt(this.request.lastEventId ?? "", 10);
    const first = last >= 0 ? last + 1 : 0;
    return eventStream(async function* (signal) {
      for (let id = first; ; id++) {
        while (id >= lines.length) await once(news, "line", { signal });
        yield { id, data: lines[id] };
      }
    });
  }
}

export default new Chat();
