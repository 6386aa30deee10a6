import type { AppOptions, AppRequest } from "bunpie";
import { App, routes } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";

/** What a page makes of its request. */
export type Read = (request: AppRequest<Record<string, unknown>>) => unknown;

/** Has one page, which answers with what `read` makes of the request. */
export class Probe extends App<Record<string, unknown>> {
  readonly #read: Read;
  readonly errors: unknown[] = [];

  constructor(read: Read, options?: AppOptions) {
    super(options);
    this.#read = read;
  }

  deep = routes({
    "/:name/:count": { PUT: () => this.page() },
  });

  async page() {
    try {
      return (await this.#read(this.request)) ?? null;
    } catch (error) {
      this.errors.push(error);
      throw error;
    }
  }
}

/** The status and body that a page with this `read` answers with. */
export async function answer(
  read: Read,
  path = "/page",
  init?: RequestInit,
  options?: AppOptions,
): Promise<readonly [status: number, body: string]> {
  const response = await new TestClient(new Probe(read, options)).send(path, init);
  return [response.status, await response.text()];
}

/** A POST request with this body; a form, unless the type says otherwise. */
export function post(
  body: NonNullable<RequestInit["body"]>,
  type = "application/x-www-form-urlencoded",
): RequestInit {
  return { method: "POST", body, headers: { "content-type": type } };
}

/** A form in parts, each given from the parameters of its Content-Disposition on. */
export function multipart(...parts: readonly string[]): RequestInit {
  const body = parts.map((part) => `--edge\r\nContent-Disposition: form-data; ${part}\r\n`);
  return post(`${body.join("")}--edge--\r\n`, "multipart/form-data; boundary=edge");
}
