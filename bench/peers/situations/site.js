/**
 * The same small site for every library: what each page does with a session. A library's adapter says what
 * `session` is, how it is destroyed and how a login gets a new id.
 *
 * @typedef {{ get(key: string): any, set(key: string, value: any): void, login(user: string): any, destroy(): any }} Visit
 */

/** Each page: the text of its response, an object for a redirect, or an error. */
export const PAGES = {
  "/plain": () => "plain",
  "/who": (visit) => visit.get("user") ?? "nobody",
  "/value": (visit, query) => String(visit.get(query.get("key")) ?? "none"),
  "/set": async (visit, query) => {
    visit.get("user");
    await Bun.sleep(Number(query.get("wait") ?? 0));
    visit.set(query.get("key"), query.get("value"));
    return "set";
  },
  "/slow-read": async (visit, query) => {
    const user = visit.get("user");
    await Bun.sleep(Number(query.get("wait") ?? 0));
    return user ?? "nobody";
  },
  "/set-and-throw": (visit) => {
    visit.set("thrown", "yes");
    throw new Error("A bug in the page.");
  },
  "/set-and-redirect": (visit, query) => {
    visit.set("redirected", query.get("value"));
    return { location: "/value?key=redirected" };
  },
  "/login": async (visit, query) => {
    await visit.login(query.get("user"));
    return "logged in";
  },
  "/logout": async (visit) => {
    await visit.destroy();
    return "logged out";
  },
};
