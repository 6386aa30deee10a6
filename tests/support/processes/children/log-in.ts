// Logs users in, each as often and at once as it is told, and returns how many of those logins have got a cookie.
import { Sessions } from "../../../../src/http/sessions.ts";
import { sharedBackend } from "../../stores/shared-backends.ts";
import { Visitor } from "../../visitor.ts";

const [, , kind = "", target = "", maxPerUser = "", logins = ""] = process.argv;
const backend = sharedBackend(kind, target);
const sessions = new Sessions({
  backend,
  sweepInterval: 0,
  storeTimeout: 60_000,
  maxPerUser: Number(maxPerUser),
});

process.on("message", async (userId: string) => {
  const visitors = Array.from({ length: Number(logins) }, () => new Visitor(sessions));
  await Promise.all(visitors.map((visitor) => visitor.visit((session) => session.login(userId))));
  process.send?.(visitors.filter(({ hasCookie }) => hasCookie).length);
});
process.send?.("ready");
