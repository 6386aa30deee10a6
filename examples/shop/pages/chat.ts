import { EventEmitter } from "node:events";

import type { Socket } from "bunpie";
import { z } from "zod";

import type { Message } from "../messages.ts";
import { info } from "../session.ts";
import { Site } from "../site.ts";
import type { User } from "../users.ts";
import { chatPage, messageLine } from "../views/chat.ts";

/** The longest line, in characters. */
export const MAX_LENGTH = 300;

const Line = z.object({ text: z.string().trim().min(1).max(MAX_LENGTH) });

/** A chat that everyone may read, and users may write in: by socket, or without scripts by form. */
export class Chat extends Site {
  /** Emits "message", in this process only: for several, use Redis or PostgreSQL. */
  readonly #news = new EventEmitter<{ message: [Message] }>().setMaxListeners(0);

  index = {
    GET: (): Promise<Response> =>
      this._page("Chat", chatPage(this._services.messages.listAfter(0), this._user())),

    POST: async (): Promise<Response> => {
      const user = this._requireUser({ back: "/chat" });
      const parsed = Line.safeParse(Object.fromEntries(await this.request.form()));
      if (parsed.success) {
        this.#say(user, parsed.data.text);
        return this._goTo("/chat#last");
      }
      return this._goTo("/chat#last", info(`Write 1 to ${MAX_LENGTH} characters.`));
    },
  };

  /** The session says who writes. When it ends, the socket is closed. */
  async ws_index(socket: Socket): Promise<void> {
    const user = this._user();
    // The id of the last line on the page, so that no line is lost between page and socket.
    const after = Number(this.request.query("after")) || 0;
    await socket.accept();
    const listen = (message: Message): void => void socket.send(messageLine(message)).catch(ignore);
    for (const message of this._services.messages.listAfter(after)) listen(message);
    this.#news.on("message", listen);
    try {
      for await (const { text } of socket.as(Line)) {
        if (user === undefined) return socket.close(4403, "Log in to write.");
        this.#say(user, text);
      }
    } finally {
      this.#news.off("message", listen);
    }
  }

  #say(user: User, text: string): void {
    const message = this._services.messages.add(user, text, this._services.facts.now());
    this.#news.emit("message", message);
  }
}

/** For sends to a closed socket. */
function ignore(): void {}
