/** What a page does, by its path. All but `read` are sent by POST. */
export type Page =
  /** Looks. */
  | "read"
  /** Begins a session, where the cookie opens none. */
  | "begin"
  /** Adds one to the session's counter, by an atomic update. */
  | "add"
  /** Writes a key, and says whether that was kept. */
  | "set"
  /** Writes a key, and leaves it to the end of the request to store it. */
  | "write"
  | "login"
  /** A new id, at the end of the request. */
  | "regenerate"
  /** A new id, at once. */
  | "renew"
  | "logout"
  /** Ends all sessions of the account. */
  | "everywhere"
  /** The same, but for the one that asks. */
  | "elsewhere";

/** The keys that are written. */
export const KEYS = ["a", "b", "c"] as const;

/** What a page answers: first what the session held when the request began. */
export interface Answer {
  /** Names the session through all its ids; `null` if the cookie opened none. */
  readonly nonce: string | null;
  /** The device that began it. */
  readonly owner: string | null;
  /** The account that it is logged into. */
  readonly user: string | null;
  readonly count: number;
  readonly values: Readonly<Record<string, string>>;
  /** Whether what was written was kept. */
  readonly kept?: boolean;
  /** What the counter was when this request had added to it. */
  readonly counted?: number;
  /** The session's nonce in the end, where the page may have begun one. */
  readonly after?: string | null;
}

/** One request, from when it was sent to when it was answered, or given up. */
export interface Exchange {
  /** Where in the history it is. */
  readonly id: number;
  /** Whose cookie it was sent with, and the account of that device. */
  readonly device: string;
  readonly account: string;
  /** The server that it was sent to. */
  readonly server: number;
  readonly page: Page;
  readonly cookie: string | null;
  /** For `set` and `write`. */
  readonly key?: string;
  readonly value?: string;
  /** In milliseconds since the run began. */
  readonly start: number;
  readonly end: number;
  /**
   * `answered` with a page; `refused` with 503; `odd`: with anything else; `unsent`: nobody took it; `lost`:
   * sent, and not answered.
   */
  readonly outcome: "answered" | "refused" | "odd" | "unsent" | "lost";
  /** The status, or what became of the connection. */
  readonly detail: string;
  readonly answer: Answer | null;
  /** The cookie that the answer set. */
  readonly issued: string | null;
  /** Whether the answer removed the cookie. */
  readonly isCleared: boolean;
}

/** All requests of a run, in the order in which they ended. */
export type History = readonly Exchange[];

/** What the servers promise beyond what always holds. */
export interface Promises {
  /** Whether what was answered with 503 is either carried out by then, or never. */
  readonly isRefusalFinal: boolean;
}
