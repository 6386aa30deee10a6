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

/** Where a session is whose id a request has. */
type Found = { row: Row; handle: string } | undefined;

/** What a request wants stored. */
interface Wish {
  readonly handle: string | null;
  /** Whose it is, if anybody's. */
  readonly userId: string | null;
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
  /** Destroyed by this request, and still there. */
  doomed: string | null;
  /** Found to have ended elsewhere, and whose it was. */
  ended: boolean;
  endedUser: string | null;
  /** The earlier handle of a session that has another one by now: nothing is written through it. */
  superseded: string | null;
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
  /** Which handle has taken the place of another. */
  notes: Record<string, string>;
  open: Record<number, Open>;
  /** What a `revoke` has still to end. */
  revoking: Record<string, string | null>;
  /** How many sessions a `revokeAll` has ended up to now. */
  revoked: Record<string, number>;
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
    endedUser: null,
    superseded: handle !== null && handle in state.notes ? handle : null,
  };
}

/** `session.regenerate()` */
export function regenerate(state: SerialSessions, request: number): void {
  findOpen(state, request).rotates = true;
}

/** `session.login(userId)` */
export function logIn(state: SerialSessions, request: number, userId: string): void {
  const open = findOpen(state, request);
  const former = open.login ?? open.userId ?? open.endedUser;
  if (former !== null && former !== userId) destroy(state, request);
  open.logins++;
  Object.assign(open, { login: userId, rotates: true });
}

/** `session.destroy()`: what is written afterwards begins a new session. */
export function destroy(state: SerialSessions, request: number): void {
  const open = findOpen(state, request);
  open.doomed = open.handle ?? open.superseded ?? open.doomed;
  open.destroys++;
  forget(open);
  const alive = { login: null, rotates: false, ended: false, endedUser: null, superseded: null };
  Object.assign(open, alive);
}

/**
 * The first steps of storing anything: what the handler destroyed goes, one id of it in each step, for
 * it may have been given others.
 */
export function finishDestroy(state: SerialSessions, request: number): void {
  const open = findOpen(state, request);
  if (open.doomed !== null) open.doomed = revoke(state, open.doomed);
}

/** What the request wants stored at the moment. */
export function findWish(state: SerialSessions, request: number): Wish {
  return structuredClone(findOpen(state, request));
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
  const open = findOpen(state, request);
  const { handle, base, mine, login } = wish;
  const isWritten = !Bun.deepEquals(mine, base);
  if (open.ended && (login === null || login === open.endedUser)) return;
  const put = (at: string | null, contents: Contents, userId: string | null): void => {
    // Without a handle it has not come out as it should have: `looksLike` will say so.
    if (at !== null) state.rows[at] = { ...copy(contents), userId };
    if (open.destroys === wish.destroys) goOn(open, wish, at, contents, userId);
    else open.doomed = at;
  };
  if (handle === null && open.superseded === null) {
    if (login !== null || !isEmpty(mine)) put(newHandle, mine, login);
    return;
  }
  const found = find(state, handle ?? open.superseded, login);
  if (found === undefined) {
    if (login !== null && login !== wish.userId) put(newHandle, merge(base, mine, EMPTY), login);
    else if (isWritten || wish.rotates) lose(state, open, wish);
  } else if (login !== null || (wish.rotates && !isEmptied(wish, wish.userId))) {
    delete state.rows[found.handle];
    if (newHandle !== null) state.notes[found.handle] = newHandle;
    put(newHandle, merge(base, mine, found.row), login ?? found.row.userId);
  } else if (isWritten) {
    const contents = merge(base, mine, found.row);
    if (isEmptied({ base: found.row, mine: contents }, found.row.userId)) end(state, open, wish);
    else put(handle, contents, found.row.userId);
  }
}

/** What `session.update()` does first: the new id that is still to be given, with the data as it was. */
export function renew(state: SerialSessions, request: number, newHandle: string | null): void {
  const open = findOpen(state, request);
  const isMoved = open.superseded !== null && open.login !== null;
  if (!open.rotates || (open.handle === null && !isMoved)) return;
  fulfil(state, request, { ...findWish(state, request), mine: copy(open.base) }, newHandle);
}

/** `session.update()`. `false`: the session has ended. */
export function update(
  state: SerialSessions,
  request: number,
  change: (data: Dictionary) => void,
  newHandle: string | null,
): boolean {
  const open = findOpen(state, request);
  if (open.handle === null) {
    if ((open.ended || open.superseded !== null) && open.login === null) return false;
    if (open.ended && open.login === open.endedUser) return false;
    change(open.mine.data);
    fulfil(state, request, findWish(state, request), newHandle);
    return true;
  }
  const row = state.rows[open.handle];
  if (row === undefined) {
    lose(state, open, open);
    return false;
  }
  change(row.data);
  open.mine = merge(open.base, open.mine, row);
  open.base = copy(row);
  return true;
}

/**
 * One step of `sessions.revoke(handle)`: what is under the handle goes. Returns the handle that the session
 * has got meanwhile, which is to go next.
 */
export function revoke(state: SerialSessions, handle: string): string | null {
  const next = state.notes[handle] ?? null;
  delete state.rows[handle];
  delete state.notes[handle];
  return next;
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
export function findContents(state: SerialSessions, request: number): Contents {
  return findOpen(state, request).mine;
}

/** Whether a request's handler would see just this. */
export function looksLike(state: SerialSessions, request: number, sight: Sight): boolean {
  const { handle, userId, login, mine } = findOpen(state, request);
  return (
    handle === sight.handle &&
    (login ?? userId) === sight.userId &&
    Bun.deepEquals(mine.data, sight.data)
  );
}

/** Whether the session was found to have ended, or to have got another id, elsewhere. */
export function hasEnded(state: SerialSessions, request: number): boolean {
  const { ended, superseded } = findOpen(state, request);
  return ended || superseded !== null;
}

/** Whether the handler has destroyed the session since it wished to store it. */
export function isDestroyed(state: SerialSessions, request: number, wish: Wish): boolean {
  return findOpen(state, request).destroys !== wish.destroys;
}

const EMPTY: Contents = { data: {}, flash: {} };

function findOpen(state: SerialSessions, request: number): Open {
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
  const found = { superseded: null, ended: false, endedUser: null };
  Object.assign(open, { handle, userId, base: copy(contents), mine, ...found });
  if (handle === wish.handle || open.logins !== wish.logins) return;
  Object.assign(open, { login: null, rotates: false });
}

/** The session has ended elsewhere, or has got another id there: what was written has nowhere to go. */
function lose(state: SerialSessions, open: Open, wish: Wish): void {
  if (open.destroys !== wish.destroys) return;
  const { handle, userId, superseded } = open;
  forget(open);
  const isSuperseded = superseded !== null || (handle !== null && handle in state.notes);
  // A login that came meanwhile is for the next time.
  const isSettled = open.logins === wish.logins;
  Object.assign(open, {
    login: isSettled ? null : open.login,
    rotates: isSettled ? false : open.rotates,
    ended: !isSuperseded,
    endedUser: isSuperseded ? null : userId,
    superseded: isSuperseded ? (superseded ?? handle) : null,
  });
}

/** The handler has emptied the session, and so ended it. */
function end(state: SerialSessions, open: Open, wish: Wish): void {
  if (wish.handle !== null) delete state.rows[wish.handle];
  if (open.destroys !== wish.destroys) return;
  const mine = merge(wish.mine, open.mine, EMPTY);
  forget(open);
  Object.assign(open, { mine, rotates: false });
}

/** The session under a handle or, for a login of its user, the one that has taken its place. */
function find(state: SerialSessions, handle: string | null, login: string | null): Found {
  let at = handle;
  const seen = new Set<string>();
  while (at !== null && !seen.has(at)) {
    seen.add(at);
    const row = state.rows[at];
    const isTheirs = at === handle || row?.userId === login;
    if (row !== undefined) return isTheirs ? { row, handle: at } : undefined;
    at = login === null ? null : (state.notes[at] ?? null);
  }
  return undefined;
}

function isEmpty({ data, flash }: Contents): boolean {
  return Object.keys(data).length === 0 && Object.keys(flash).length === 0;
}

/** Whether a session that nobody has logged into has lost all that it held. */
function isEmptied(
  { base, mine }: { base: Contents; mine: Contents },
  userId: string | null,
): boolean {
  return userId === null && isEmpty(mine) && !isEmpty(base);
}

/** The request has no session any more. */
function forget(open: Open): void {
  Object.assign(open, { handle: null, userId: null, base: copy(EMPTY), mine: copy(EMPTY) });
}

/**
 * What changed from `base` to `mine`, key by key, applied to `theirs`. A message that was taken stays
 * gone only if nobody has left another one under its name.
 */
function merge(base: Contents, mine: Contents, theirs: Contents): Contents {
  const kinds = ["data", "flash"] as const;
  const merged = copy(theirs);
  for (const kind of kinds) {
    for (const key of Object.keys({ ...base[kind], ...mine[kind] })) {
      if (Bun.deepEquals(base[kind][key], mine[kind][key])) continue;
      if (key in mine[kind]) merged[kind][key] = mine[kind][key];
      else if (kind === "data" || Bun.deepEquals(base.flash[key], theirs.flash[key]))
        delete merged[kind][key];
    }
  }
  return merged;
}

function copy({ data, flash }: Contents): Contents {
  return structuredClone({ data, flash });
}
