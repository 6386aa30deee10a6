import { EventEmitter } from "node:events";

import type { SessionEvent } from "bunpie";

import { describeEvent } from "./describe-event.ts";

/** One event, as the live page shows it. */
export interface ActivityLine {
  /** Grows by one with every line. */
  readonly id: number;
  /** The id of the line when it first appeared. */
  readonly first: number;
  /** Unix milliseconds. */
  readonly at: number;
  readonly text: string;
  /** How often it happened. */
  readonly times: number;
}

/** How much went on in one second. */
export interface Second {
  requests: number;
  writes: number;
}

/** How many seconds the figures cover. */
export const SECONDS = 60;

const MAX_LINES = 40;
/** How many of the last lines are searched for the same text. */
const RUN = 3;
const WRITES = new Set(["created", "updated", "rotated", "destroyed"]);

/** The activity of this process: requests and writes by the second, the last events. */
export class Activity {
  /** Emits a user's id whenever one of their sessions begins, gets a new id or ends. */
  readonly users = new EventEmitter<Record<string, []>>().setMaxListeners(0);
  readonly #now: () => number;
  readonly #findName: (userId: string) => string | undefined;
  /** By Unix second. */
  readonly #seconds = new Map<number, Second>();
  #lines: readonly ActivityLine[] = [];
  #count = 0;

  constructor(now: () => number, findName: (userId: string) => string | undefined) {
    this.#now = now;
    this.#findName = findName;
  }

  noteRequest(): void {
    this.#second().requests += 1;
  }

  /** For the sessions' `onEvent`. */
  noteEvent(event: SessionEvent): void {
    if (WRITES.has(event.type)) this.#second().writes += 1;
    this.#addLine(describeEvent(event, this.#findName));
    if ("userId" in event && event.userId !== null) this.users.emit(event.userId);
  }

  /** The last events, oldest first, that came after the one with this id. */
  linesAfter(id: number): readonly ActivityLine[] {
    return this.#lines.filter((line) => line.id > id);
  }

  /** The last minute, the present second last. */
  lastMinute(): readonly Second[] {
    const present = this.#presentSecond();
    return Array.from(
      { length: SECONDS },
      (_, index) => this.#seconds.get(present - SECONDS + 1 + index) ?? { requests: 0, writes: 0 },
    );
  }

  #addLine(text: string): void {
    this.#count += 1;
    const same = this.#lines.slice(-RUN).find((line) => line.text === text);
    const line = {
      id: this.#count,
      first: same?.first ?? this.#count,
      at: this.#now(),
      text,
      times: (same?.times ?? 0) + 1,
    };
    this.#lines = [...this.#lines.filter((each) => each !== same), line].slice(-MAX_LINES);
  }

  #second(): Second {
    const present = this.#presentSecond();
    const found = this.#seconds.get(present);
    if (found !== undefined) return found;
    for (const second of this.#seconds.keys()) {
      if (second <= present - SECONDS) this.#seconds.delete(second);
    }
    const begun = { requests: 0, writes: 0 };
    this.#seconds.set(present, begun);
    return begun;
  }

  #presentSecond(): number {
    return Math.floor(this.#now() / 1000);
  }
}
