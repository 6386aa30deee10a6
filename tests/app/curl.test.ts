import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { App, compress, eventStream, files } from "bunpie";

import { Folder } from "../support/folder.ts";
import { quiet } from "../support/quiet.ts";

const TEXT = "0123456789".repeat(1_000);

class Site extends App {
  readonly _folder = this.own(new Folder(), (folder) => folder.remove());
  readonly _left = Promise.withResolvers<void>();
  assets = files(this._folder.path);

  constructor() {
    super();
    this.use(compress());
  }

  page() {
    return TEXT;
  }

  events() {
    return eventStream(
      async function* (this: Site, signal: AbortSignal) {
        yield { id: 1, data: "first" };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        this._left.resolve();
      }.bind(this),
    );
  }

  upload = {
    POST: async () => {
      const lines: string[] = [];
      for await (const part of this.request.parts()) {
        const size = await part.save(this._folder.file("uploaded.txt"));
        lines.push(`${part.field} ${part.filename} ${size}`);
      }
      return [...lines, String(await this.request.form())].join("\n");
    },
  };
}

/** What curl writes on standard output. */
async function curl(...args: readonly string[]): Promise<string> {
  const child = Bun.spawn(["curl", "-sS", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect(errors).toBe("");
  return output;
}

describe.skipIf(Bun.which("curl") === null)("curl", () => {
  let site: Site;
  let url: string;

  beforeAll(async () => {
    using _info = quiet("info");
    site = new Site();
    url = String(site.listen(0).url);
    await Bun.write(site._folder.file("a.txt"), TEXT);
  });

  afterAll(() => site.close());

  test("receives an event as soon as it is sent, and the app notices when curl ends", async () => {
    const child = Bun.spawn(["curl", "-sN", `${url}events`], { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk);
      if (text.includes("first\n\n")) break;
    }
    expect(text).toBe(":\n\nid: 1\ndata: first\n\n");
    child.kill();
    await site._left.promise;
  });

  test("uploads a file, with a field before it", async () => {
    const file = `file=@${site._folder.file("a.txt")};filename=b.txt`;
    expect(await curl("-F", "note=ä", "-F", file, `${url}upload`)).toBe(
      "file b.txt 10000\nnote=%C3%A4",
    );
    expect(await curl(`${url}assets/uploaded.txt`)).toBe(TEXT);
  });

  test("reads a range of a file, and the rest of it", async () => {
    expect(await curl("-r", "5-14", `${url}assets/a.txt`)).toBe("5678901234");
    expect(await curl("-C", "9995", `${url}assets/a.txt`)).toBe("56789");
  });

  test("reads a compressed page", async () => {
    const sizes = ["-w", "\n%{size_download} %header{content-encoding}"];
    const [plain, packed] = await Promise.all([
      curl(...sizes, `${url}page`),
      curl("--compressed", ...sizes, `${url}page`),
    ]);
    expect(plain).toBe(`${TEXT}\n10000 `);
    const [text, figures] = packed?.split("\n") ?? [];
    expect(text).toBe(TEXT);
    expect(figures).toMatch(/^\d{1,3} (?:gzip|br|zstd|deflate)$/);
  });
});
