// A chat over WebSockets: a room for each path, the name in the session, messages checked by a schema.
// Run it: bun examples/socket-chat.ts

import type { Socket } from "bunpie";
import { App, html, HttpError } from "bunpie";
import { z } from "zod";

const Visitor = z.object({ name: z.string().trim().min(1).max(20) });
const Line = z.object({ text: z.string().trim().min(1).max(200) });

class Chat extends App<{ name: string }> {
  index = {
    GET: () =>
      page(
        html`<form method="post">
          <label>Your name <input name="name" maxlength="20" required /></label>
          <button>Enter</button>
        </form>`,
      ),
    POST: async () => {
      this.request.session.name = (await this.request.form(Visitor)).name;
      return this.redirect(this.link(this.room, "lobby"), 303);
    },
  };

  room(room: string) {
    if (!this.request.session.name) return this.redirect("/", 303);
    return page(
      html`<ul id="lines" role="log" aria-label="Lines in ${room}"></ul>
        <form id="form">
          <label>Say <input id="text" maxlength="200" autocomplete="off" required /></label>
          <button>Send</button>
        </form>
        <script>
          const socket = new WebSocket(location.href.replace("http", "ws"));
          socket.onmessage = ({ data }) => {
            const { name, text } = JSON.parse(data);
            const line = document.createElement("li");
            line.textContent = name + ": " + text;
            lines.append(line);
          };
          form.onsubmit = (event) => {
            event.preventDefault();
            socket.send(JSON.stringify({ text: text.value }));
            form.reset();
          };
        </script>`,
    );
  }

  async ws_room(socket: Socket, room: string) {
    const { name } = this.request.session;
    if (!name) throw new HttpError(403, "Enter your name first.");
    await socket.accept();
    socket.subscribe(room);
    for await (const { text } of socket.as(Line)) socket.publish(room, { name, text });
  }
}

function page(content: unknown) {
  return html`<!doctype html>
    <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
      <meta name="viewport" content="width=device-width" />
      <title>Chat</title>
      <main style="max-width: 40rem; margin: auto; padding: 0 1rem">
        <h1>Chat</h1>
        ${content}
      </main>
    </html>`;
}

export default new Chat();
