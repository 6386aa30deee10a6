/** Somebody who can log in. */
export interface User {
  readonly id: string;
  /** What is typed into the form. */
  readonly login: string;
  /** What is shown. */
  readonly name: string;
  readonly passwordHash: string;
}

/** The login that the page shows to everyone. A real shop would not. */
export const DEMO_LOGIN = { login: "ann", password: "flaky pastry" };

/** Made by `Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 19456, timeCost: 2 })`. */
const USERS: readonly User[] = [
  {
    id: "1",
    login: DEMO_LOGIN.login,
    name: "Ann",
    passwordHash:
      "$argon2id$v=19$m=19456,t=2,p=1$IciO/t2I+tdWbBeVwg9d83iRc2K2O5RIbWAeK3fnZuU$LGcRa9Jo6/KkuONyV1ucSaczQjQwm5t1douMb+WTt6s",
  },
  {
    id: "2",
    login: "ben", // his password is "buttery crust"
    name: "Ben",
    passwordHash:
      "$argon2id$v=19$m=19456,t=2,p=1$KmdRD4lxV8iQ6G8ddW0bvgifsrUrF1qg21a1xuQBA+U$gHZkjdek91Q+fK91SJIp5n1lgrtQZ+1EoH68np5zerg",
  },
];

/** Checked when nobody has the login, so that the answer takes as long as for a wrong password. */
const NOBODYS_HASH =
  "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/** The user with this id; `undefined` for none, and for `null`, which is nobody's. */
export function findUser(id: string | null): User | undefined {
  return USERS.find((user) => user.id === id);
}

/** The user whose login and password these are; `undefined` if they are nobody's. */
export async function authenticate(login: string, password: string): Promise<User | undefined> {
  const user = USERS.find((candidate) => candidate.login === login.trim().toLowerCase());
  const isRight = await Bun.password.verify(password, user?.passwordHash ?? NOBODYS_HASH);
  return isRight ? user : undefined;
}
