import { describe, test } from "bun:test";

/** A check that a sentence of a doc comment holds. */
export type Check<Trial> = (trial: Trial) => Promise<void>;

/**
 * Checks by the name of the documented item, then by the sentence of its doc comment. A sentence
 * with several checks is followed by a colon and what distinguishes each.
 */
export type Contract<Trial> = Readonly<Record<string, Readonly<Record<string, Check<Trial>>>>>;

/** Names several checks of one sentence, each by what distinguishes it. */
export function nameChecks<Trial>(
  sentence: string,
  checks: Readonly<Record<string, Check<Trial>>>,
): Record<string, Check<Trial>> {
  return Object.fromEntries(
    Object.entries(checks).map(([name, check]) => [`${sentence}: ${name}`, check]),
  );
}

/** Makes one check of a sentence for each case, by the case's name. */
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
 * Makes a test of every sentence. Each test begins its own trial, so that tests can run
 * concurrently.
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
