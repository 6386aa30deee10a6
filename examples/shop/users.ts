import type { Database } from "bun:sqlite";

/** Somebody who can log in. */
export interface User {
  readonly id: string;
  /** The name in lower case, as it is looked up. */
  readonly login: string;
  /** What is shown. */
  readonly name: string;
}

/** A user of the demo, whose password the login page shows. A real shop has none. */
interface DemoUser extends User {
  readonly password: string;
  readonly passwordHash: string;
}

/** Hashes by `Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 19456, timeCost: 2 })`. */
export const DEMO_USERS: readonly DemoUser[] = [
  {
    id: "1",
    login: "ann",
    name: "Ann",
    password: "flaky pastry",
    passwordHash:
      "$argon2id$v=19$m=19456,t=2,p=1$IciO/t2I+tdWbBeVwg9d83iRc2K2O5RIbWAeK3fnZuU$LGcRa9Jo6/KkuONyV1ucSaczQjQwm5t1douMb+WTt6s",
  },
  {
    id: "2",
    login: "ben",
    name: "Ben",
    password: "buttery crust",
    passwordHash:
      "$argon2id$v=19$m=19456,t=2,p=1$KmdRD4lxV8iQ6G8ddW0bvgifsrUrF1qg21a1xuQBA+U$gHZkjdek91Q+fK91SJIp5n1lgrtQZ+1EoH68np5zerg",
  },
];

/** Verified for an unknown name, so that the response takes as long as for a wrong password. */
const NOBODYS_HASH =
  "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/** The parameters that OWASP recommends for Argon2id. */
const HASHING = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;

/** The accounts, in the database. */
export class Users {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
    for (const { id, login, name, passwordHash } of DEMO_USERS) {
      db.run("INSERT OR IGNORE INTO users VALUES (?, ?, ?, ?)", [id, login, name, passwordHash]);
    }
  }

  /** The user with this id; `undefined` for an unknown one, and for `null`. */
  find(id: string | null): User | undefined {
    if (id === null) return undefined;
    const query = this.#db.query<User, [string]>("SELECT id, login, name FROM users WHERE id = ?");
    return query.get(id) ?? undefined;
  }

  /** The user with this name and password; `undefined` if either is wrong. */
  async authenticate(name: string, password: string): Promise<User | undefined> {
    const found = this.#db
      .query<User & { passwordHash: string }, [string]>("SELECT * FROM users WHERE login = ?")
      .get(toLogin(name));
    const isRight = await Bun.password.verify(password, found?.passwordHash ?? NOBODYS_HASH);
    return found !== null && isRight
      ? { id: found.id, login: found.login, name: found.name }
      : undefined;
  }

  /** Makes an account; returns `undefined` if the name is taken. */
  async register(name: string, password: string): Promise<User | undefined> {
    const user = { id: crypto.randomUUID(), login: toLogin(name), name };
    const hash = await Bun.password.hash(password, HASHING);
    const { changes } = this.#db.run("INSERT OR IGNORE INTO users VALUES (?, ?, ?, ?)", [
      user.id,
      user.login,
      user.name,
      hash,
    ]);
    return changes === 1 ? user : undefined;
  }
}

function toLogin(name: string): string {
  return name.trim().normalize("NFKC").toLowerCase();
}
