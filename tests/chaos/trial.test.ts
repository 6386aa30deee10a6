import { expect, test } from "bun:test";

import { describeLong } from "../support/trials.ts";
import type { History } from "./checker/history.ts";
import { startStore } from "./stores.ts";
import { runTrial, SERVERS } from "./trial.ts";

const OPTIONS = { users: 9, seed: 1, isOver: (history: History) => history.length >= 600 };
const TIMEOUT = 120_000;

// `bun run chaos` is the whole of it; `bun run check` takes a little.
describeLong(true, "a short trial", () => {
  test(
    "finds nothing wrong with servers that are killed and stopped over one SQLite file",
    async () => {
      await using store = await startStore("sqlite", SERVERS);
      const { violations, history } = await runTrial(store, { ...OPTIONS, program: "bunpie" });
      expect(violations).toEqual([]);
      const kept = history.filter(({ page, answer }) => page === "add" && answer?.kept === true);
      expect(kept.length).toBeGreaterThan(0);
    },
    TIMEOUT,
  );

  test(
    "finds faults in servers that load and save the whole session",
    async () => {
      await using store = await startStore("files", SERVERS);
      const { violations } = await runTrial(store, { ...OPTIONS, program: "naive" });
      expect(violations.length).toBeGreaterThan(0);
    },
    TIMEOUT,
  );
});
