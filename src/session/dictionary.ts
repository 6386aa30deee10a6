import type { SessionData } from "../store/backend.ts";
import { FACTS_KEY } from "../store/load-save-store.ts";
import { SessionDataError } from "./errors.ts";
import type { LoginOptions, SessionMeta, SessionMethods } from "./session.ts";
import { RESERVED_NAMES } from "./session.ts";

/** What the seven reserved names of a dictionary call. */
export interface DictionaryOwner {
  readonly meta: SessionMeta;
  regenerate(): void;
  logIn(userId: string, options: LoginOptions): void;
  destroy(): void;
  flash(...args: [name: string, value?: unknown]): unknown;
  update(change: (data: SessionData) => void): Promise<boolean>;
  save(): Promise<boolean>;
}

/** The dictionary itself. Its own properties are the data; everything else is on the prototype. */
export class SessionDictionary implements SessionMethods<SessionData> {
  readonly #owner: DictionaryOwner;

  constructor(owner: DictionaryOwner, data: SessionData) {
    this.#owner = owner;
    // On this hot path a loop takes a quarter of the time of Object.assign.
    const dictionary = this as SessionData;
    for (const key of Object.keys(data)) dictionary[key] = data[key];
  }

  /** The owner of a dictionary; `undefined` for any other object, including a copy. */
  static findOwner(session: object): DictionaryOwner | undefined {
    return #owner in session ? session.#owner : undefined;
  }

  regenerate(): void {
    this.#owner.regenerate();
  }

  login(userId: string, options: LoginOptions = {}): void {
    this.#owner.logIn(userId, options);
  }

  destroy(): void {
    this.#owner.destroy();
  }

  flash<Value>(...args: [name: string, value?: unknown]): Value | undefined {
    return this.#owner.flash(...args) as Value | undefined;
  }

  update(change: (data: SessionData) => void): Promise<boolean> {
    return this.#owner.update(change);
  }

  save(): Promise<boolean> {
    return this.#owner.save();
  }

  get meta(): SessionMeta {
    return this.#owner.meta;
  }

  /** Makes `console.log(session)` show the data. */
  [Bun.inspect.custom](): SessionData {
    return { ...(this as unknown as SessionData) };
  }
}

// The prototype has the seven names and nothing else: no `constructor`, `toString` or `__proto__`.
// Those are ordinary keys, and a stored `__proto__` stays data.
Object.setPrototypeOf(SessionDictionary.prototype, null);
Reflect.deleteProperty(SessionDictionary.prototype, "constructor");
for (const name of RESERVED_NAMES) seal(name);

/** Makes an assignment to a reserved name throw an error that says so. */
function seal(name: (typeof RESERVED_NAMES)[number]): void {
  const { value, get = () => value as unknown } = Object.getOwnPropertyDescriptor(
    SessionDictionary.prototype,
    name,
  ) as PropertyDescriptor;
  Object.defineProperty(SessionDictionary.prototype, name, {
    get,
    set() {
      throw reservedName(name);
    },
    configurable: false,
  });
}

/**
 * Checks data that was not written through a session's dictionary, which refuses reserved names
 * itself.
 *
 * @throws SessionDataError for a reserved key.
 */
export function refuseReservedKeys(data: object): void {
  refuseFactsKey(data);
  const taken = RESERVED_NAMES.find((name) => Object.hasOwn(data, name));
  if (taken !== undefined) throw new SessionDataError(reservedName(taken).message);
}

/**
 * @throws SessionDataError for the key under which two-method backends keep the session's facts.
 */
export function refuseFactsKey(data: object): void {
  if (!Object.hasOwn(data, FACTS_KEY)) return;
  throw new SessionDataError(
    `session.${FACTS_KEY} is reserved: backends keep a session's own facts there. Use another key.`,
  );
}

function reservedName(name: string): TypeError {
  return new TypeError(`session.${name} is a reserved name. Store your value under another key.`);
}
