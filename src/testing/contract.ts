import { describe, test } from "bun:test";

/** What shows that a sentence holds. */
export type Check<Trial> = (trial: Trial) => Promise<void>;

/**
 * The sentences of doc comments, by the name of what they are written on, each with its check. A
 * sentence that needs more than one check has them under its words, a colon, and what sets them apart.
 */
export type Contract<Trial> = Readonly<Record<string, Readonly<Record<string, Check<Trial>>>>>;

/** Several checks of one sentence, each by what sets it apart. */
export function nameChecks<Trial>(
  sentence: string,
  checks: Readonly<Record<string, Check<Trial>>>,
): Record<string, Check<Trial>> {
  return Object.fromEntries(
    Object.entries(checks).map(([name, check]) => [`${sentence}: ${name}`, check]),
  );
}

/** One check of one sentence for several cases, each by its name. */
export function checkEach<Trial, Case>(
  sentence: string,
  cases: Readonly<Record<string, Case>>,
  check: (trial: Trial, one: Case) => Promise<void>,
): Record<string, Check<Trial>> {
  const checks = Object.entries(cases).map(
    ([name, one]) => [name, (trial: Trial) => check(trial, one)] as const,
  );
  return nameChecks(sentence, Object.fromEntries(checks));
}

/**
 * Makes a test of every sentence. Each begins a trial of its own, so that they can run side by side.
 */
export function describeContract<Trial extends AsyncDisposable>(
  contract: Contract<Trial>,
  begin: () => Promise<Trial>,
): void {
  for (const [subject, sentences] of Object.entries(contract)) {
    describe(subject, () => {
      for (const [sentence, check] of Object.entries(sentences)) {
        test(sentence, async () => {
          await using trial = await begin();
          await check(trial);
        });
      }
    });
  }
}
