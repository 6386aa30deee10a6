// Serves WebSockets, on a port that it tells, each closed with 4401 when its session ends.
import { Sessions } from "../../../../src/http/sessions.ts";
import type { Session } from "../../../../src/session/session.ts";
import { sharedBackend } from "../../stores/shared-backends.ts";

interface Data {
  readonly session: Session;
  stop?: () => void;
}

const [, , kind = "", target = ""] = process.argv;
// In seconds: nothing that a test waits for comes of reading again.
const sessions = new Sessions({ backend: sharedBackend(kind, target), watchInterval: 100_000 });

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
      socket.send("open");
    },
    message: () => undefined,
    close: ({ data }) => data.stop?.(),
  },
});
process.send?.(server.port);
