import { SqliteSessionBackend } from "bunpie/sqlite";

import { Counter } from "./counter.ts";

export default new Counter({ sessionBackend: new SqliteSessionBackend("sessions.db") });
