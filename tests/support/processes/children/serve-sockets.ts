// Serves WebSockets, on a port that it tells, each closed with 4401 when its session ends. A socket hears "open" once its
// session was read after it is watched: from then on only a notice tells of the session's end.
import { Sessions } from "../../../../src/http/sessions.ts";
import type { Session } from "../../../../src/session/session.ts";
import { sharedBackend } from "../../stores/shared-backends.ts";

interface Data {
  readonly session: Session;
  stop?: () => void;
}

const [, , kind = "", target = ""] = process.argv;
const backend = sharedBackend(kind, target);
// In seconds: nothing that a test waits for comes of reading again.
const sessions = new Sessions({ backend, watchInterval: 100_000 });

/** Sockets whose session is still to be read, by its handle. */
const unread = new Map<string | null, Bun.ServerWebSocket<Data>>();
const readTimes = backend.readTimes.bind(backend);
backend.readTimes = async (handles) => {
  const times = await readTimes(handles);
  for (const handle of handles) {
    unread.get(handle)?.send("open");
    unread.delete(handle);
  }
  return times;
};

const server = Bun.serve({
  port: 0,
  fetch: sessions.wrap((request, session, to: Bun.Server<Data>) => {
    const isUpgraded = to.upgrade(request, { data: { session } });
    return isUpgraded ? undefined : new Response("Only for WebSockets.", { status: 426 });
  }),
  websocket: {
    data: {} as Data,
    open(socket) {
      const { data } = socket;
      data.stop = sessions.onEnd(data.session, (reason) => socket.close(4401, reason));
      unread.set(data.session.meta.handle, socket);
    },
    message: () => undefined,
    close: ({ data }) => data.stop?.(),
  },
});
process.send?.(server.port);
