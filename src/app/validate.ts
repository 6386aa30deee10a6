import type { StandardSchemaV1 } from "@standard-schema/spec";

import { HttpError } from "./errors.ts";

/** The type of a schema's output. */
export type OutputOf<Schema extends StandardSchemaV1> = StandardSchemaV1.InferOutput<Schema>;

/** One thing that is wrong with the input. */
export interface Problem {
  /** Where, such as `address.street` or `items.0`; the empty string for the whole input. */
  readonly path: string;
  /** The schema's message. */
  readonly message: string;
}

/** More would help nobody, and a small body can have a million. */
const MAX_PROBLEMS = 100;

const SUMMARY = "The request's input is invalid.";

/** Input that does not match the schema: a 422 whose `problems` say what is wrong where. */
export class InvalidInput extends HttpError {
  /** At most 100, in the schema's order. */
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const few = problems.slice(0, MAX_PROBLEMS);
    super(422, [SUMMARY, ...few.map(describe)].join("\n"));
    this.problems = few;
  }

  override get details(): Readonly<Record<string, unknown>> {
    return { title: SUMMARY, problems: this.problems };
  }
}

/**
 * Returns the schema's output for a value.
 *
 * @throws InvalidInput if the schema refuses the value.
 */
export async function validate(schema: StandardSchemaV1, value: unknown): Promise<unknown> {
  // Not every program is type-checked.
  const standard = (schema as Partial<StandardSchemaV1> | null)?.["~standard"];
  if (standard === undefined) {
    throw new TypeError(
      "The schema is none that implements Standard Schema. Pass one of zod, valibot or arktype, such as z.object({ … }).",
    );
  }
  const result = await standard.validate(value);
  if (result.issues === undefined) return result.value;
  throw new InvalidInput(result.issues.slice(0, MAX_PROBLEMS).map(toProblem));
}

/**
 * The fields as an object for a schema: a field that occurs once is a string, one that occurs
 * several times an array of strings. A name that ends in `[]` is always an array, under the name
 * without the brackets. `__proto__` is left out.
 */
export function toRecord(fields: URLSearchParams): Record<string, string | string[]> {
  const lists = new Map<string, string[]>();
  const arrays = new Set<string>();
  for (const [name, value] of fields) {
    const isArray = name.endsWith("[]");
    const key = isArray ? name.slice(0, -2) : name;
    if (key === "__proto__") continue;
    const list = lists.get(key);
    if (list === undefined) lists.set(key, [value]);
    else list.push(value);
    if (isArray) arrays.add(key);
  }
  const record: Record<string, string | string[]> = {};
  for (const [key, list] of lists) {
    const [first = ""] = list;
    record[key] = list.length > 1 || arrays.has(key) ? list : first;
  }
  return record;
}

function toProblem({ path = [], message }: StandardSchemaV1.Issue): Problem {
  // arktype's path is a subclass of Array whose map() returns something else.
  const keys = Array.from(path, (part) => String(typeof part === "object" ? part.key : part));
  return { path: keys.join("."), message };
}

function describe({ path, message }: Problem): string {
  return path === "" ? message : `${path}: ${message}`;
}
