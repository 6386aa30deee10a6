import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { Folder } from "../support/folder.ts";

const ROOT = join(import.meta.dir, "../..");
const BUNDLE = ["--target=bun", "--outfile=app.js"];
const COMPILE = ["--compile", "--outfile=app"];

let folder: Folder;

beforeEach(() => {
  folder = new Folder();
  mkdirSync(folder.file("node_modules"));
  symlinkSync(ROOT, folder.file("node_modules/bunpie"));
});
afterEach(() => folder.remove());

/** Has Bun build an app that keeps a session in this backend, runs it, and gives what it says. */
async function built(entry: string, backend: string, flags: readonly string[]): Promise<string> {
  await Bun.write(
    folder.file("app.ts"),
    `import { Sessions } from "bunpie";
     import * as entry from "bunpie/${entry}";
     const sessions = new Sessions({ backend: new entry.${backend} });
     const open = await sessions.open(new Request("http://localhost/"));
     open.session.visits = 1;
     const response = await sessions.commit(open, new Response());
     console.log("stored", await sessions.sweep(), response.headers.has("set-cookie"));
     await sessions.close();`,
  );
  await run([process.execPath, "build", "app.ts", ...flags]);
  return run(flags.includes("--compile") ? [folder.file("app")] : [process.execPath, "app.js"]);
}

async function run(command: string[]): Promise<string> {
  const child = Bun.spawn(command, { cwd: folder.path, stdio: ["ignore", "pipe", "pipe"] });
  return (await child.stdout.text()) + (await child.stderr.text());
}

const SQLITE = ["sqlite", 'SqliteSessionBackend("sessions.db")'] as const;
const POSTGRES = ["postgres", 'PostgresSessionBackend("postgres://127.0.0.1:1/test")'] as const;

describe("an app that is bundled", () => {
  test.each([
    [
      "as a program, with the migrations in it",
      [...COMPILE, "--asset=node_modules/bunpie/drizzle"],
    ],
    ["without Bunpie, which stays in node_modules", [...BUNDLE, "--external=bunpie"]],
  ])("keeps sessions in SQLite: %s", async (_, flags) => {
    expect(await built(...SQLITE, flags)).toBe("stored 0 true\n");
  });

  test.each([SQLITE, POSTGRES])(
    "says how it finds migrations that it has not: %s",
    async (entry, backend) => {
      for (const flags of [BUNDLE, COMPILE]) {
        const output = await built(entry, backend, flags);
        expect(output).toContain(`drizzle/${entry}. When you bundle an app, take them along`);
      }
    },
  );
});
