// What the documentation says of sessions, for a service that does one thing at a time. Small enough
// to be checked by reading, and told apart from Bunpie by having no store, no promise and no version.

type Dictionary = Record<string, unknown>;

interface Contents {
  data: Dictionary;
  flash: Dictionary;
}

interface Row extends Contents {
  userId: string | null;
}

/** What a request wants stored. */
interface Wish {
  readonly handle: string | null;
  /** What the session held when the request last read or stored it, and what it is to hold. */
  readonly base: Contents;
  readonly mine: Contents;
  /** Whose it is to be, if somebody logs in. */
  readonly login: string | null;
  readonly rotates: boolean;
  /** How often the handler has logged somebody in and destroyed the session by then. */
  readonly logins: number;
  readonly destroys: number;
}

/** One request's session. */
type Open = { -readonly [Key in keyof Wish]: Wish[Key] } & {
  userId: string | null;
  /** Destroyed by this request, and still there. */
  doomed: string | null;
  /** Found to have ended elsewhere. */
  ended: boolean;
};

/** What a handler can see of its session. */
export interface Sight {
  readonly handle: string | null;
  readonly userId: string | null;
  readonly data: Readonly<Dictionary>;
}

/** All sessions, by handle, and the requests that have one open, by number. Plain data. */
export interface SerialSessions {
  rows: Record<string, Row>;
  open: Record<number, Open>;
}

/** A request begins, with a cookie for this session or with none. */
export function begin(state: SerialSessions, request: number, handle: string | null): void {
  const row = handle === null ? undefined : state.rows[handle];
  state.open[request] = {
    handle: row === undefined ? null : handle,
    userId: row?.userId ?? null,
    base: copy(row ?? EMPTY),
    mine: copy(row ?? EMPTY),
    login: null,
    rotates: false,
    logins: 0,
    destroys: 0,
    doomed: null,
    ended: false,
  };
}

/** `session.regenerate()` */
export function regenerate(state: SerialSessions, request: number): void {
  openOf(state, request).rotates = true;
}

/** `session.login(userId)` */
export function logIn(state: SerialSessions, request: number, userId: string): void {
  const open = openOf(state, request);
  const former = open.login ?? open.userId;
  if (former !== null && former !== userId) destroy(state, request);
  open.logins++;
  Object.assign(open, { login: userId, rotates: true, ended: false });
}

/** `session.destroy()`: what is written afterwards begins a new session. */
export function destroy(state: SerialSessions, request: number): void {
  const open = openOf(state, request);
  open.doomed = open.handle ?? open.doomed;
  open.destroys++;
  forget(open);
  Object.assign(open, { login: null, rotates: false, ended: false });
}

/** The first step of storing anything: the session that the handler destroyed goes. */
export function finishDestroy(state: SerialSessions, request: number): void {
  const open = openOf(state, request);
  if (open.doomed !== null) delete state.rows[open.doomed];
  open.doomed = null;
}

/** What the request wants stored at the moment. */
export function wishOf(state: SerialSessions, request: number): Wish {
  return structuredClone(openOf(state, request));
}

/**
 * The wish is fulfilled, under `newHandle` if the session gets a new id. What the handler has done
 * since it wished stays to be stored.
 */
export function fulfil(
  state: SerialSessions,
  request: number,
  wish: Wish,
  newHandle: string | null,
): void {
  const open = openOf(state, request);
  const { handle, base, mine, login } = wish;
  if (open.ended) return;
  const row = handle === null ? undefined : state.rows[handle];
  const isWritten = !Bun.deepEquals(mine, base);
  const put = (at: string | null, contents: Contents, userId: string | null): void => {
    // Without a handle it has not come out as it should have: `looksLike` will say so.
    if (at !== null) state.rows[at] = { ...copy(contents), userId };
    if (open.destroys === wish.destroys) goOn(open, wish, at, contents, userId);
    else open.doomed = at;
  };
  if (handle === null) {
    if (login !== null || isWritten) put(newHandle, mine, login);
  } else if (wish.rotates && row !== undefined) {
    delete state.rows[handle];
    put(newHandle, merge(base, mine, row), login ?? row.userId);
  } else if (login !== null) {
    put(newHandle, merge(base, mine, EMPTY), login);
  } else if (row !== undefined) {
    if (isWritten) put(handle, merge(base, mine, row), row.userId);
  } else if (isWritten || wish.rotates) {
    lose(open, wish);
  }
}

/**
 * `session.update()`. `false`: the session has ended. A login that is still to be stored is not lost
 * with it.
 */
export function update(
  state: SerialSessions,
  request: number,
  change: (data: Dictionary) => void,
  newHandle: string | null,
): boolean {
  const open = openOf(state, request);
  if (open.ended) return false;
  if (open.handle === null) {
    change(open.mine.data);
    fulfil(state, request, wishOf(state, request), newHandle);
    return true;
  }
  const row = state.rows[open.handle];
  if (row === undefined) {
    lose(open, open);
    return false;
  }
  change(row.data);
  open.mine = merge(open.base, open.mine, row);
  open.base = copy(row);
  return true;
}

/** `sessions.revoke(handle)` */
export function revoke(state: SerialSessions, handle: string): void {
  delete state.rows[handle];
}

/** `sessions.revokeAll(userId, { except })`. How many there were. */
export function revokeAll(state: SerialSessions, userId: string, except: string | null): number {
  const users = Object.entries(state.rows).filter(
    ([handle, row]) => row.userId === userId && handle !== except,
  );
  for (const [handle] of users) delete state.rows[handle];
  return users.length;
}

/** The contents that a request's handler reads and writes. */
export function contentsOf(state: SerialSessions, request: number): Contents {
  return openOf(state, request).mine;
}

/** Whether a request's handler would see just this. */
export function looksLike(state: SerialSessions, request: number, sight: Sight): boolean {
  const { handle, userId, login, mine } = openOf(state, request);
  return (
    handle === sight.handle &&
    (login ?? userId) === sight.userId &&
    Bun.deepEquals(mine.data, sight.data)
  );
}

/** Whether the session was found to have ended elsewhere. */
export function hasEnded(state: SerialSessions, request: number): boolean {
  return openOf(state, request).ended;
}

const EMPTY: Contents = { data: {}, flash: {} };

function openOf(state: SerialSessions, request: number): Open {
  const open = state.open[request];
  if (open === undefined) throw new Error(`Request ${request} has not begun.`);
  return open;
}

/** The session is stored like this, and the request goes on with it. */
function goOn(
  open: Open,
  wish: Wish,
  handle: string | null,
  contents: Contents,
  userId: string | null,
): void {
  const mine = merge(wish.mine, open.mine, contents);
  Object.assign(open, { handle, userId, base: copy(contents), mine });
  if (handle === wish.handle || open.logins !== wish.logins) return;
  Object.assign(open, { login: null, rotates: false });
}

/** The session has ended elsewhere. Who logs in at the moment gets one of their own. */
function lose(open: Open, wish: Wish): void {
  if (open.destroys !== wish.destroys) return;
  const own = open.login === null ? EMPTY : merge(open.base, open.mine, EMPTY);
  forget(open);
  Object.assign(open, { mine: copy(own), ended: open.login === null });
}

/** The request has no session any more. */
function forget(open: Open): void {
  Object.assign(open, { handle: null, userId: null, base: copy(EMPTY), mine: copy(EMPTY) });
}

/** What changed from `base` to `mine`, key by key, applied to `theirs`. */
function merge(base: Contents, mine: Contents, theirs: Contents): Contents {
  const kinds = ["data", "flash"] as const;
  const merged = copy(theirs);
  for (const kind of kinds) {
    for (const key of Object.keys({ ...base[kind], ...mine[kind] })) {
      if (Bun.deepEquals(base[kind][key], mine[kind][key])) continue;
      if (key in mine[kind]) merged[kind][key] = mine[kind][key];
      else delete merged[kind][key];
    }
  }
  return merged;
}

function copy({ data, flash }: Contents): Contents {
  return structuredClone({ data, flash });
}
