import { PostgresSessionBackend, sessions, sessionsTable } from "bunpie/postgres";

export const makeBackend = (url: string) => new PostgresSessionBackend(url, { schema: "shop" });
export const shop = sessionsTable("shop_sessions", "shop");
export const columns = { user: sessions.userId, until: shop.expiresAt };

console.log(columns.user.name, columns.until.name);
