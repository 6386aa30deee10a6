/** Something that was done, and that took its time. Ticks count up through the whole history. */
export interface Happening<State> {
  /** Who did it. What one actor did, it did one after the other. */
  readonly actor: number;
  readonly what: string;
  /** When it was begun, and when it was acknowledged. */
  readonly begun: number;
  readonly ended: number;
  /** Does it to the state, in one step. `false`: then it could not have come out as it did. */
  readonly does: (state: State) => boolean;
}

/**
 * Whether the happenings could have been done one at a time, each at some moment between its begin
 * and its end, and have come out as they did: Herlihy and Wing's linearizability, by Wing and Gong's
 * search. The state has to be plain data.
 *
 * @returns an order in which they could, or `undefined` if there is none.
 */
export function findSerialOrder<State>(
  happenings: readonly Happening<State>[],
  initial: State,
): readonly Happening<State>[] | undefined {
  const deadEnds = new Set<string>();
  const search = (
    left: readonly Happening<State>[],
    state: State,
  ): readonly Happening<State>[] | undefined => {
    if (left.length === 0) return [];
    const key = `${left.map(({ begun }) => begun).join()}${JSON.stringify(state)}`;
    if (deadEnds.has(key)) return undefined;
    for (const next of left.filter((each) => mayComeFirst(each, left))) {
      const after = structuredClone(state);
      if (!next.does(after)) continue;
      const rest = search(
        left.filter((each) => each !== next),
        after,
      );
      if (rest !== undefined) return [next, ...rest];
    }
    deadEnds.add(key);
    return undefined;
  };
  return search(happenings, initial);
}

/** Nothing else was over before it began, and it is the first that its actor has left to do. */
function mayComeFirst<State>(one: Happening<State>, left: readonly Happening<State>[]): boolean {
  if (left.find(({ actor }) => actor === one.actor) !== one) return false;
  return left.every((other) => other.ended >= one.begun);
}
