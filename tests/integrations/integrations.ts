import type { SessionsOptions } from "bunpie";
import { Sessions } from "bunpie";
import { sessions as elysiaSessions } from "bunpie/elysia";
import { sessions as honoSessions } from "bunpie/hono";
import { Elysia, status } from "elysia";
import { Hono } from "hono";
import { setCookie } from "hono/cookie";
import { HTTPException } from "hono/http-exception";
import { stream } from "hono/streaming";

import type { Session } from "../../src/session/session.ts";
import type { MaybePromise } from "../../src/store/maybe-promise.ts";

/** Parts that are there, or that come while they are being sent. */
export type Stream = Iterable<string> | AsyncIterable<string>;

/** What a page answers with. Each integration says it in its own way. */
export type Answer =
  | string
  | Response
  | { readonly redirect: string }
  | { readonly status: 404 | 500 }
  | { readonly stream: Stream }
  | { readonly cookies: readonly string[] };

/** What a page does with its session, and what it answers: an empty text, if it does not say. */
export type Page = (session: Session) => MaybePromise<Answer | void>;

/** Ends a request with this status, by an error as the framework has it. */
export class Refusal extends Error {
  readonly status = 409;
}

/** The pages as a service. Page 7 is at `/7`. */
export interface Service {
  /** Asks it as a function. A handler that is one of `Bun.serve`'s `routes` is none. */
  readonly fetch?: (request: Request) => MaybePromise<Response>;
  /** Serves it on a free port. */
  listen(): Listener;
}

/** A server, as far as tests ask it something. */
export interface Listener {
  readonly url: URL;
  stop(closeActiveConnections?: boolean): Promise<void>;
}

/** A way to have sessions. */
export interface Integration {
  readonly name: string;
  create(options: SessionsOptions, pages: readonly Page[]): Service;
  /** Whether an error that a handler throws can have a status of its own. */
  readonly refuses: boolean;
  /** Whether the response to an error that comes after `destroy()` can clear the cookie. */
  readonly clearsAfterError: boolean;
}

export const INTEGRATIONS: readonly Integration[] = [
  { name: "wrap in fetch", create: inFetch, refuses: false, clearsAfterError: false },
  { name: "wrap in routes", create: inRoutes, refuses: false, clearsAfterError: true },
  { name: "Elysia", create: onElysia, refuses: true, clearsAfterError: true },
  { name: "Hono", create: onHono, refuses: true, clearsAfterError: true },
];

const ERROR = { development: false, error: () => new Response("error", { status: 500 }) };

function inFetch(options: SessionsOptions, pages: readonly Page[]): Service {
  const handler = wrapped(options, pages);
  return {
    fetch: async (request) => {
      try {
        return await handler(request);
      } catch {
        return ERROR.error();
      }
    },
    listen: () => Bun.serve({ port: 0, ...ERROR, fetch: (request) => handler(request) }),
  };
}

function inRoutes(options: SessionsOptions, pages: readonly Page[]): Service {
  const handler = wrapped(options, pages);
  return {
    listen: () =>
      Bun.serve({ port: 0, ...ERROR, routes: { "/:page": (request) => handler(request) } }),
  };
}

function wrapped(options: SessionsOptions, pages: readonly Page[]) {
  return new Sessions(options).wrap(async (request: Request, session, ..._rest: []) => {
    const answer = await ask(pages, new URL(request.url).pathname.slice(1), session);
    if (typeof answer === "string") return new Response(answer);
    if (answer instanceof Response) return answer;
    if ("redirect" in answer) return Response.redirect(answer.redirect, 303);
    if ("status" in answer) return new Response("status", answer);
    if ("stream" in answer) return new Response(chunks(answer.stream));
    const response = new Response("cookies");
    for (const name of answer.cookies) response.headers.append("set-cookie", `${name}=${name}`);
    return response;
  });
}

function onElysia(options: SessionsOptions, pages: readonly Page[]): Service {
  const app = new Elysia()
    .use(elysiaSessions(new Sessions(options)))
    .all("/:page", async ({ params, session, redirect, cookie }) => {
      const answer = await ask(pages, params.page, session, () => status(409, "Refused."));
      if (typeof answer === "string" || answer instanceof Response) return answer;
      if ("redirect" in answer) return redirect(answer.redirect, 303);
      if ("status" in answer) return status(answer.status, "status");
      if ("stream" in answer) return chunks(answer.stream);
      for (const name of answer.cookies) cookie[name]?.set({ value: name });
      return "cookies";
    });
  return {
    fetch: app.fetch,
    listen: () => {
      const { server } = app.listen(0);
      if (server === null) throw new Error("Elysia does not listen.");
      return server;
    },
  };
}

function onHono(options: SessionsOptions, pages: readonly Page[]): Service {
  const app = new Hono().use(honoSessions(new Sessions(options))).all("/:page", async (c) => {
    const answer = await ask(
      pages,
      c.req.param("page"),
      c.var.session,
      () => new HTTPException(409),
    );
    if (typeof answer === "string") return c.text(answer);
    if (answer instanceof Response) return answer;
    if ("redirect" in answer) return c.redirect(answer.redirect, 303);
    if ("status" in answer) return c.text("status", answer.status);
    if ("stream" in answer) {
      return stream(c, async (writer) => {
        for await (const chunk of answer.stream) await writer.write(chunk);
      });
    }
    for (const name of answer.cookies) setCookie(c, name, name);
    return c.text("cookies");
  });
  return { fetch: app.fetch, listen: () => Bun.serve({ port: 0, fetch: app.fetch }) };
}

export async function ask(
  pages: readonly Page[],
  page: string,
  session: Session,
  refuse?: () => unknown,
): Promise<Answer> {
  try {
    const answer = await pages[Number(page)]?.(session);
    return answer ?? "";
  } catch (error) {
    throw refuse !== undefined && error instanceof Refusal ? refuse() : error;
  }
}

export async function* chunks(parts: Stream): AsyncGenerator<string> {
  yield* parts;
}
