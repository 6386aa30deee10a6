import { sessions, sessionsTable, SqliteSessionBackend } from "bunpie/sqlite";

export const backend = new SqliteSessionBackend(":memory:");
export const shop = sessionsTable("shop_sessions");
export const columns = { user: sessions.userId, until: shop.expiresAt };

console.log(columns.user.name, columns.until.name);
await backend.close();
