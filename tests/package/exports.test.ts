import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import manifest from "../../package.json";
import tsconfig from "../../tsconfig.json";

const ROOT = join(import.meta.dir, "../..");

const JSX_RUNTIME = {
  values: ["Fragment", "createElement", "jsx", "jsxDEV", "jsxs"],
  types: ["Attributes", "Children"],
};

/** What each entry of the package exports. A change here is a change for everybody who uses it. */
const EXPORTS = {
  ".": {
    values: [
      "App",
      "CrossOriginError",
      "HttpError",
      "InMemorySessionBackend",
      "InvalidInput",
      "SESSION_TIMEOUT",
      "SessionDataError",
      "SessionStore",
      "SessionStoreError",
      "Sessions",
      "compress",
      "createElement",
      "eventStream",
      "files",
      "html",
      "redirect",
      "routes",
      "status",
    ],
    types: [
      "AcceptOptions",
      "AnySession",
      "AppOptions",
      "AppRequest",
      "CompressOptions",
      "CookieOptions",
      "CrossOriginOptions",
      "EndListener",
      "EventStreamOptions",
      "Files",
      "FilesOptions",
      "FolderOptions",
      "ForwardingNote",
      "Html",
      "InMemorySessionBackendOptions",
      "ListOptions",
      "ListedSession",
      "ListenOptions",
      "LogEntry",
      "LoginOptions",
      "MaybePromise",
      "Middleware",
      "OpenSession",
      "PartsOptions",
      "Problem",
      "ResponseDraft",
      "RevokeAllOptions",
      "Routes",
      "SaveOptions",
      "ServerLike",
      "ServerSentEvent",
      "Session",
      "SessionBackend",
      "SessionData",
      "SessionEnd",
      "SessionEvent",
      "SessionInfo",
      "SessionMeta",
      "SessionMethods",
      "SessionOptions",
      "SessionRecord",
      "SessionShape",
      "SessionStats",
      "SessionTimes",
      "SessionsOptions",
      "Socket",
      "StopWatching",
      "StoppableServer",
      "StoreUse",
      "UploadPart",
      "UploadedFile",
      "WebSocketHandlers",
    ],
  },
  "./sqlite": {
    values: ["SqliteSessionBackend", "sessions", "sessionsTable"],
    types: ["SessionsTable", "SqliteSessionBackendOptions"],
  },
  "./postgres": {
    values: ["PostgresSessionBackend", "sessions", "sessionsTable"],
    types: ["PostgresSessionBackendOptions", "SessionsTable"],
  },
  "./redis": {
    values: ["RedisSessionBackend"],
    types: ["RedisLike", "RedisSessionBackendOptions", "RedisTls"],
  },
  "./jsx-runtime": JSX_RUNTIME,
  "./jsx-dev-runtime": JSX_RUNTIME,
  "./testing": {
    values: ["TestClient", "testSessionBackend"],
    types: ["Fetcher", "SocketEnd", "TestEvent", "TestSocket"],
  },
  "./elysia": { values: ["sessions"], types: ["SessionsPluginOptions"] },
  "./hono": { values: ["sessions"], types: ["SessionsMiddlewareOptions"] },
};

/** The names of the types that a source exports: they leave no trace at run time. */
function findTypes(source: string): string[] {
  const lists = source.matchAll(/^export type \{([^}]*)\}/gm);
  const declarations = source.matchAll(/^export (?:type|interface) (\w+)/gm);
  const listed = [...lists].flatMap(([, names = ""]) => names.match(/\w+/g) ?? []);
  return [...listed, ...[...declarations].map(([, name = ""]) => name)].toSorted();
}

describe("the package", () => {
  const { "./package.json": self, ...entries } = manifest.exports;

  test("has the listed entries", () => {
    expect(Object.keys(entries)).toEqual(Object.keys(EXPORTS));
    expect(self).toBe("./package.json");
  });

  test.each(Object.entries(entries))("exports from %s the listed names", async (entry, targets) => {
    const { values, types } = EXPORTS[entry as keyof typeof EXPORTS];
    const module = (await import(join(manifest.name, entry))) as object;
    expect(Object.keys(module).toSorted()).toEqual(values);
    const source = targets.types.replace(/^\.\/dist\/(.*)\.d\.ts$/, "src/$1.ts");
    expect(findTypes(await Bun.file(join(ROOT, source)).text())).toEqual(types);
  });

  test("maps this repository's own programs to the sources of its entries", () => {
    const sources = Object.entries(entries).map(([entry, { bun }]) => [
      join(manifest.name, entry),
      [bun.replace(/^\.\/dist\/(.*)\.js$/, "./src/$1.ts")],
    ]);
    expect(tsconfig.compilerOptions.paths).toEqual(Object.fromEntries(sources));
  });

  test("ships what its entries need, and what its pages link to", () => {
    expect(manifest.files).toEqual([
      "dist",
      "src",
      "docs",
      "examples",
      "!examples/**/*.db*",
      "bench/results.md",
      "bench/plots",
      "CHANGELOG.md",
      "SECURITY.md",
    ]);
    expect(Object.keys(manifest.dependencies)).toEqual([
      "@fastify/busboy",
      "@standard-schema/spec",
      "drizzle-orm",
      "range-parser",
    ]);
  });

  test("declares frameworks and Bun's types as peer dependencies", () => {
    const { peerDependencies, peerDependenciesMeta } = manifest;
    expect(Object.keys(peerDependencies)).toEqual([
      "@elysiajs/cookie",
      "bun-types",
      "elysia",
      "hono",
    ]);
    expect(Object.keys(peerDependenciesMeta)).toEqual(Object.keys(peerDependencies));
    for (const { optional } of Object.values(peerDependenciesMeta)) expect(optional).toBeTrue();
  });
});
