import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";

import type { FilesOptions, PartsOptions } from "bunpie";
import { HttpError } from "bunpie";

import { Body } from "../../src/app/body.ts";
import { Connection } from "../support/connection.ts";
import { Folder } from "../support/folder.ts";
import { multipart, post, Probe } from "../support/probe.ts";
import { Child } from "../support/processes/child.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, head } from "../support/raw.ts";
import { serve } from "../support/serve.ts";
import { testLong } from "../support/trials.ts";

type Read = (body: Body) => Promise<unknown>;

const MIB = 1024 * 1024;
const TYPE = "multipart/form-data; boundary=edge";
const MALFORMED = [400, "The request's form is malformed."];

const field = (name: string, value = "1"): string => `name="${name}"\r\n\r\n${value}`;
const file = (name: string, content = "abc", filename = "a.txt"): string =>
  `name="${name}"; filename="${filename}"\r\nContent-Type: text/plain\r\n\r\n${content}`;
const many = (part: string, count: number): RequestInit =>
  multipart(...Array<string>(count).fill(part));
const raw = (body: string): RequestInit => post(body, TYPE);

const BROKEN_BOUNDARIES: readonly [string, RequestInit][] = [
  ["LF alone throughout", toLf(multipart(field("a"), file("f")))],
  [
    "a space after a boundary",
    raw(`--edge \r\nContent-Disposition: form-data; ${field("a")}\r\n--edge--`),
  ],
  [
    "a tab after a later boundary",
    raw(
      `--edge\r\nContent-Disposition: form-data; ${field("a")}\r\n--edge\t\r\nX: y\r\n\r\n\r\n--edge--`,
    ),
  ],
  [
    "a space after a quoted boundary",
    post("--a;b \r\nX: y\r\n\r\n\r\n--a;b--", 'multipart/form-data; charset=utf-8; boundary="a;b"'),
  ],
];

function toLf(init: RequestInit): RequestInit {
  return { ...init, body: String(init.body).replaceAll("\r\n", "\n") };
}

/** What `read` makes of a request's body, or the status and message that it ends with. */
async function ask(
  read: Read,
  init: RequestInit,
  { maxBodyBytes = 16 * MIB, maxUploadBytes = 16 * MIB } = {},
): Promise<unknown> {
  const request = new Request("http://localhost/", { method: "POST", ...init });
  try {
    return await read(new Body(request, { maxBodyBytes, maxUploadBytes }, false));
  } catch (error) {
    if (error instanceof HttpError) return [error.status, error.message];
    throw error;
  }
}

const readFiles =
  (limits: FilesOptions = {}): Read =>
  async (body) => {
    const files = await body.files(limits);
    const contents = await Promise.all(
      files.map(async (each) => [each.field, each.name, await each.text()]),
    );
    return [contents, [...(await body.form())]];
  };

const readParts =
  (limits: PartsOptions = {}): Read =>
  async (body) => {
    const contents: string[][] = [];
    for await (const part of body.parts(limits)) {
      contents.push([part.field, part.filename, await part.text()]);
    }
    return [contents, [...(await body.form())]];
  };

describe.each([
  ["files", readFiles],
  ["parts", readParts],
])("%s", (_, read) => {
  const send = (init: RequestInit): Promise<unknown> => ask(read(), init);

  test("returns the files, and form() the text fields", async () => {
    const init = multipart(field("a", "Grüße"), file("f"), field("b"), file("f", "", "日本.txt"));
    expect(await send(init)).toEqual([
      [
        ["f", "a.txt", "abc"],
        ["f", "日本.txt", ""],
      ],
      [
        ["a", "Grüße"],
        ["b", "1"],
      ],
    ]);
  });

  test.each([
    ["inputs that were left empty", multipart(file("f", "", "")), [[], []]],
    ["parts without a name", multipart('filename="a"\r\n\r\n1', 'x="y"\r\n\r\n1'), [[], []]],
    ["parts without a disposition", raw("--edge\r\nX: y\r\n\r\n1\r\n--edge--"), [[], []]],
    ["a line break in a name", multipart(file("a\nb")), [[], []]],
    ["text before the first part", raw(`before\r\n--edge--`), [[], []]],
    ["text after the last part", raw(`--edge--${"z".repeat(MIB)}`), [[], []]],
    [
      "the charset that a part claims",
      multipart('name="a"\r\nContent-Type: text/plain; charset=base64\r\n\r\nhi'),
      [[], [["a", "hi"]]],
    ],
    [
      "the encoding that a part claims",
      multipart('name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\naGk='),
      [[], [["a", "aGk="]]],
    ],
    [
      "a form in a form",
      multipart(
        'name="f"; filename="x"\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\r\n--in--',
      ),
      [[["f", "x", "--in\r\n\r\n--in--"]], []],
    ],
    [
      "a second disposition",
      multipart('name="a"\r\nContent-Disposition: form-data; name="b"; filename="x"\r\n\r\nhi'),
      [[], [["a", "hi"]]],
    ],
    [
      "what looks like a boundary",
      multipart(file("f", "\r\n--\r\n--edg\r\n-edge\n--edge\r--edge")),
      [[["f", "a.txt", "\r\n--\r\n--edg\r\n-edge\n--edge\r--edge"]], []],
    ],
    [
      "a header of 8 MiB after the names",
      multipart(`name="f"; filename="x"\r\nX: ${"y".repeat(8 * MIB)}\r\n\r\n1`),
      [[["f", "x", "1"]], []],
    ],
    [
      "a header of 8 MiB before the names, with its part",
      raw(
        `--edge\r\nX: ${"y".repeat(8 * MIB)}\r\nContent-Disposition: form-data; ${file("f")}\r\n--edge--`,
      ),
      [[], []],
    ],
  ])("ignores %s", async (_case, init, result) => {
    expect(await send(init)).toEqual(result);
  });

  test("treats names as data, __proto__ too", async () => {
    const init = multipart(field("__proto__"), file("__proto__", "2", "../__proto__"));
    expect(await send(init)).toEqual([[["__proto__", "__proto__", "2"]], [["__proto__", "1"]]]);
  });

  test("accepts a file name in the encoding of RFC 8187, and makes it safe too", async () => {
    const init = multipart(
      "name=\"f\"; filename*=UTF-8''..%2F..%2Fx%00.txt\r\n\r\n1",
      "name=\"f\"; filename*=nonsense''%ff\r\n\r\n2",
    );
    expect(await send(init)).toEqual([
      [
        ["f", "x.txt", "1"],
        ["f", expect.any(String), "2"],
      ],
      [],
    ]);
  });

  test.each([
    ["no boundary", post("--edge--", "multipart/form-data")],
    ["another boundary", post("--edge--", "multipart/form-data; boundary=other")],
    [
      "a boundary of 5,000 characters",
      post("", `multipart/form-data; boundary=${"e".repeat(5000)}`),
    ],
    ["no content", raw("")],
    ["no body", { method: "POST", headers: { "content-type": TYPE } }],
    ["other content", raw("garbage")],
    ["no end", raw(`--edge\r\nContent-Disposition: form-data; ${file("f")}\r\n`)],
    ["an end in a file", raw(`--edge\r\nContent-Disposition: form-data; ${file("f")}`)],
    ["an end in a field", raw(`--edge\r\nContent-Disposition: form-data; ${field("f")}`)],
    ["an end in a header", raw(`--edge\r\nContent-Disposition: form-data; name="f`)],
    [
      "lines that end with LF alone",
      raw(`--edge\nContent-Disposition: form-data; ${field("f")}\n--edge--`),
    ],
    ...BROKEN_BOUNDARIES,
  ])("answers a form with %s with 400", async (_case, init) => {
    expect(await send(init)).toEqual(MALFORMED);
  });

  test.each(["application/x-www-form-urlencoded", "multipart/mixed; boundary=edge", "text/plain"])(
    "answers %s with 415",
    async (type) => {
      expect(await send(post("a=1", type))).toEqual([
        415,
        "This page expects a form with files, as multipart/form-data.",
      ]);
    },
  );

  test("answers a compressed form with 415", async () => {
    const headers = { "content-type": TYPE, "content-encoding": "gzip" };
    const init = { method: "POST", body: Bun.gzipSync("--edge--"), headers };
    expect(await send(init)).toEqual([415, "This page expects a body without a Content-Encoding."]);
  });

  test("S9: accepts 1,000 parts, and no more", async () => {
    const excess = [413, "The request's form has more than 1000 fields."];
    expect(await send(many(field("a"), 1000))).toEqual([
      [],
      Array.from({ length: 1000 }, () => ["a", "1"]),
    ]);
    expect(await send(many(field("a"), 1001))).toEqual(excess);
    expect(await send(many(field("a"), 100_000))).toEqual(excess);
  });

  test("S9: accepts 20 files by default, and no more", async () => {
    expect(await send(many(file("a"), 20))).toEqual([
      Array.from({ length: 20 }, () => ["a", "a.txt", "abc"]),
      [],
    ]);
    expect(await send(many(file("a"), 21))).toEqual([
      413,
      "The request's form has more than 20 files.",
    ]);
    expect(await ask(read({ maxFiles: 1 }), many(file("a"), 2))).toEqual([
      413,
      "The request's form has more than 1 file.",
    ]);
  });

  test("S9: accepts text fields of maxBodyBytes in total, and no more", async () => {
    const limits = { maxBodyBytes: 10 };
    expect(await ask(read(), multipart(field("a", "12345"), field("b", "12345")), limits)).toEqual([
      [],
      [
        ["a", "12345"],
        ["b", "12345"],
      ],
    ]);
    const init = multipart(field("a", "12345"), file("f"), field("b", "123456"));
    expect(await ask(read(), init, limits)).toEqual([
      413,
      "The request's form has fields of more than 10 bytes.",
    ]);
  });

  test("S9: accepts a body of maxUploadBytes, and no more", async () => {
    const init = multipart(file("f"));
    const size = Buffer.byteLength(String(init.body));
    expect(await ask(read(), init, { maxBodyBytes: 5, maxUploadBytes: size })).toEqual([
      [["f", "a.txt", "abc"]],
      [],
    ]);
    const pieces = { ...init, body: new Blob([String(init.body)]).stream() };
    for (const each of [init, pieces]) {
      expect(await ask(read(), each, { maxBodyBytes: 5, maxUploadBytes: size - 1 })).toEqual([
        413,
        `The request's body is larger than ${size - 1} bytes.`,
      ]);
    }
  });

  test("works after form(), which has kept the body", async () => {
    expect(
      await ask(
        async (body) => {
          await body.form();
          return read()(body);
        },
        multipart(field("a"), file("f")),
      ),
    ).toEqual([[["f", "a.txt", "abc"]], [["a", "1"]]]);
  });

  test.each([
    ["text", (body: Body) => body.text()],
    ["json", (body: Body) => body.json()],
    ["bytes", (body: Body) => body.bytes()],
    ["files", (body: Body) => body.files({})],
    ["parts", (body: Body) => body.parts({}).next()],
  ])("causes an error before %s(), because the body is not kept", async (_name, next) => {
    const twice: Read = async (body) => {
      await read()(body);
      return next(body);
    };
    await expect(ask(twice, multipart(file("f")))).rejects.toThrow(
      "Read its text fields with form().",
    );
  });
});

describe("a form with a broken boundary", () => {
  test.each(BROKEN_BOUNDARIES)("is answered with 400 by form(): %s", async (_, init) => {
    expect(await ask((body) => body.form(), init)).toEqual(MALFORMED);
  });

  test.each(BROKEN_BOUNDARIES)("is noticed in pieces of any size: %s", async (_, init) => {
    for (let size = 1; size < 20; size += 1) {
      expect(await ask(readFiles(), inPieces(init, size))).toEqual(MALFORMED);
    }
  });

  test("is not assumed if a file contains the like, in pieces of any size", async () => {
    const content = "\r\n--edg\r\n-edge \n--edge \n--edge\n--edg e";
    for (let size = 1; size < 20; size += 1) {
      const init = inPieces(multipart(file("f", content)), size);
      expect(await ask(readFiles(), init)).toEqual([[["f", "a.txt", content]], []]);
    }
  });
});

function inPieces(init: RequestInit, size: number): RequestInit {
  const bytes = Buffer.from(String(init.body));
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) {
        controller.enqueue(new Uint8Array(bytes.subarray(at, at + size)));
      }
      controller.close();
    },
  });
  return { ...init, body };
}

describe("files", () => {
  test("returns web-standard files", async () => {
    expect(
      await ask(
        async (body) => {
          const [first] = await body.files({});
          return [first instanceof File, first?.size, first?.type, await first?.bytes()];
        },
        multipart(file("f", "\0\xff", "x.bin")),
      ),
    ).toEqual([true, 3, "text/plain;charset=utf-8", new Uint8Array(Buffer.from("\0\xff"))]);
  });

  test("are waited for by form()", async () => {
    const init = multipart(file("f"), field("a"));
    const result = await ask(
      (body) => Promise.all([body.files({}), body.form().then(String)]),
      init,
    );
    expect(result).toMatchObject([[{ field: "f" }], "a=1"]);
  });

  test("S9: accepts files of maxBytes in total, by default maxBodyBytes, and no more", async () => {
    const init = multipart(file("f", "12345"), file("g", "123456"));
    const excess = [413, "The request's form has files of more than 10 bytes."];
    expect(await ask(readFiles({ maxBytes: 10 }), init)).toEqual(excess);
    expect(await ask(readFiles(), init, { maxBodyBytes: 10 })).toEqual(excess);
    expect(await ask(readFiles({ maxBytes: 11 }), init, { maxBodyBytes: 10 })).toMatchObject([
      [
        ["f", "a.txt", "12345"],
        ["g", "a.txt", "123456"],
      ],
      [],
    ]);
  });
});

describe("a limit above maxUploadBytes", () => {
  const remedy = "Raise App's `maxUploadBytes`.";
  const limits = { maxUploadBytes: 1000 };

  test("causes an error that names the remedy, whatever is uploaded", async () => {
    const init = multipart(file("f"));
    await expect(ask(readFiles({ maxBytes: 1001 }), init, limits)).rejects.toThrow(remedy);
    await expect(ask(readParts({ maxFileBytes: 1001 }), init, limits)).rejects.toThrow(remedy);
    expect(await ask(readFiles({ maxBytes: 1000 }), init, limits)).toBeArray();
    expect(await ask(readParts({ maxFileBytes: 1000 }), init, limits)).toBeArray();
  });
});

describe("parts", () => {
  test("S9: accepts files of maxFileBytes each, and no more", async () => {
    const init = multipart(file("f", "12345"), file("g", "123456"));
    expect(await ask(readParts({ maxFileBytes: 6 }), init)).toMatchObject([[{}, {}], []]);
    expect(await ask(readParts({ maxFileBytes: 5 }), init)).toEqual([
      413,
      "The request's form has a file of more than 5 bytes.",
    ]);
  });

  test("leaves text fields that came before a file to form()", async () => {
    const init = multipart(field("a"), file("f"), field("b"), file("g"), field("c"));
    expect(
      await ask(async (body) => {
        const seen: string[] = [];
        for await (const part of body.parts({})) {
          seen.push(`${part.field}: ${await body.form()}`);
        }
        return [...seen, String(await body.form())];
      }, init),
    ).toEqual(["f: a=1", "g: a=1&b=1", "a=1&b=1&c=1"]);
  });

  test("skips what is left unread, whole or in part", async () => {
    const long = "x".repeat(3 * MIB);
    const init = multipart(file("whole", long), file("half", long), file("last", long));
    expect(
      await ask(async (body) => {
        const seen: string[] = [];
        for await (const part of body.parts({})) {
          seen.push(part.field);
          if (part.field !== "half") continue;
          for await (const chunk of part) {
            seen.push(String(chunk.byteLength > 0));
            break;
          }
        }
        return seen;
      }, init),
    ).toEqual(["whole", "half", "true", "last"]);
  });

  test("continues with the next file once the one before has been read, awaited or not", async () => {
    const init = multipart(file("a", "x".repeat(2 * MIB)), file("b"), file("c", "x".repeat(MIB)));
    expect(
      await ask(async (body) => {
        const texts: Promise<string>[] = [];
        for await (const part of body.parts({})) texts.push(part.text());
        return (await Promise.all(texts)).map((text) => text.length);
      }, init),
    ).toEqual([2 * MIB, 3, MIB]);
  });

  test("ends the loop, and not the process, if a form breaks off in a file that is not read", async () => {
    const cut = raw(`--edge\r\nContent-Disposition: form-data; ${file("f")}`);
    const result = await ask(async (body) => {
      for await (const _ of body.parts({})) await Bun.sleep(0);
    }, cut);
    expect(result).toEqual(MALFORMED);
  });

  test("ends the loop at a limit, even if the error of the file is caught", async () => {
    const result = await ask(
      async (body) => {
        for await (const part of body.parts({ maxFileBytes: 2 }))
          await part.bytes().catch(() => "");
      },
      multipart(file("f"), file("g")),
    );
    expect(result).toEqual([413, "The request's form has a file of more than 2 bytes."]);
  });

  test("S9: counts what follows the form as well", async () => {
    const pieces = ["--edge--\r\n", "z".repeat(1000)];
    const body = new ReadableStream({
      pull(controller) {
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(Buffer.from(piece));
      },
    });
    const result = await ask(readParts(), post(body, TYPE), { maxUploadBytes: 1000 });
    expect(result).toEqual([413, "The request's body is larger than 1000 bytes."]);
  });

  test("lets a file be read once, and not after the loop has passed it", async () => {
    const error = 'The file in "f" has been read or skipped already.';
    expect(
      ask(
        async (body) => {
          const parts = await Array.fromAsync(body.parts({}));
          return parts[0]?.text();
        },
        multipart(file("f")),
      ),
    ).rejects.toThrow(error);
    expect(
      ask(
        async (body) => {
          for await (const part of body.parts({})) {
            await part.text();
            await part.save("/nowhere/x");
          }
        },
        multipart(file("f")),
      ),
    ).rejects.toThrow(error);
  });

  test("reads no more of the body than the files that are read need", async () => {
    let pulled = 0;
    const [start, end] = String(multipart(file("f", "|")).body).split("|");
    const pieces = new ReadableStream({
      pull(controller) {
        if (pulled === 0) controller.enqueue(Buffer.from(start ?? ""));
        if (pulled < 100) controller.enqueue(Buffer.alloc(64 * 1024));
        else controller.close();
        pulled += 1;
      },
    });
    const read: Read = async (body) => {
      for await (const part of body.parts({})) {
        for await (const _ of part) break;
        // Whatever would go on by itself has had its turn.
        for (let turn = 0; turn < 100; turn++) await new Promise((done) => setImmediate(done));
        return pulled;
      }
      return undefined;
    };
    expect(end).toStartWith("\r\n--edge--");
    expect(await ask(read, post(pieces, TYPE))).toBeLessThan(20);
  });

  test("passes a file on as a stream, and skips its rest if that is cancelled", async () => {
    const init = multipart(file("f"), file("cancelled", "x".repeat(MIB)), file("g", "last"));
    expect(
      await ask(async (body) => {
        const texts: string[] = [];
        for await (const part of body.parts({})) {
          if (part.field === "cancelled") await part.stream().cancel();
          else texts.push(await new Response(part.stream()).text());
        }
        return texts;
      }, init),
    ).toEqual(["abc", "last"]);
  });
});

describe("save", () => {
  let folder: Folder;
  beforeEach(() => {
    folder = new Folder();
  });
  afterEach(() => folder.remove());

  const save =
    (name = "out.txt", limits: PartsOptions = {}): Read =>
    async (body) => {
      for await (const part of body.parts(limits)) return part.save(folder.file(name));
      return undefined;
    };

  test("writes the file, returns its size and reports its progress", async () => {
    const content = "0123456789".repeat(300_000);
    const progress: number[] = [];
    const read: Read = async (body) => {
      for await (const part of body.parts({})) {
        const onProgress = (bytes: number): void => {
          expect(readdirSync(folder.path)).toEqual([expect.stringMatching(/^\.upload-[\w-]{36}$/)]);
          progress.push(bytes);
        };
        return part.save(folder.file("out.txt"), { onProgress });
      }
      return undefined;
    };
    expect(await ask(read, multipart(file("f", content)))).toBe(3_000_000);
    expect(readdirSync(folder.path)).toEqual(["out.txt"]);
    expect(await Bun.file(folder.file("out.txt")).text()).toBe(content);
    expect(progress.length).toBeGreaterThan(10);
    expect(progress.at(-1)).toBe(3_000_000);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("no room");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no room"))],
  ])("fails and leaves nothing if onProgress %s", async (_, onProgress) => {
    const read: Read = async (body) => {
      for await (const part of body.parts({}))
        await part.save(folder.file("out.txt"), { onProgress });
    };
    await expect(ask(read, multipart(file("f")))).rejects.toThrow("no room");
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("replaces an existing file, and follows no link", async () => {
    writeFileSync(folder.file("target.txt"), "old");
    symlinkSync(folder.file("target.txt"), folder.file("out.txt"));
    await ask(save(), multipart(file("f", "new")));
    expect(await Bun.file(folder.file("out.txt")).text()).toBe("new");
    expect(await Bun.file(folder.file("target.txt")).text()).toBe("old");
  });

  test("leaves nothing of a file that is too large, and keeps the existing one", async () => {
    writeFileSync(folder.file("out.txt"), "old");
    const init = multipart(file("f", "x".repeat(3 * MIB)));
    expect(await ask(save("out.txt", { maxFileBytes: 2 * MIB }), init)).toEqual([
      413,
      `The request's form has a file of more than ${2 * MIB} bytes.`,
    ]);
    expect(readdirSync(folder.path)).toEqual(["out.txt"]);
    expect(await Bun.file(folder.file("out.txt")).text()).toBe("old");
  });

  test("leaves nothing of a file that breaks off", async () => {
    const init = raw(`--edge\r\nContent-Disposition: form-data; ${file("f", "x".repeat(MIB))}`);
    expect(await ask(save(), init)).toEqual(MALFORMED);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("leaves nothing if the file cannot have its name", async () => {
    mkdirSync(folder.file("out.txt"));
    await expect(ask(save(), multipart(file("f")))).rejects.toThrow("EISDIR");
    expect(readdirSync(folder.path)).toEqual(["out.txt"]);
  });

  test("rejects if the folder does not exist, and the loop can continue", async () => {
    const init = multipart(file("f", "x".repeat(MIB)), file("g"));
    expect(
      await ask(async (body) => {
        const seen: unknown[] = [];
        for await (const part of body.parts({})) {
          seen.push(await part.save(folder.file("no/out.txt")).catch((error) => error.code));
        }
        return seen;
      }, init),
    ).toEqual(["ENOENT", "ENOENT"]);
  });

  test("a name that a client made up stays in its folder", async () => {
    const read: Read = async (body) => {
      for await (const part of body.parts({})) await part.save(`${folder.path}/${part.filename}`);
    };
    const names = ["../a", "..\\b", "/c", "..", "d/../../e", "f\0g", `${"h".repeat(300)}.txt`];
    await ask(read, multipart(...names.map((name) => file("f", "x", name))));
    const expected = ["a", "b", "c", "file", "e", "fg", `${"h".repeat(196)}.txt`];
    expect(readdirSync(folder.path).toSorted()).toEqual(expected.toSorted());
  });
});

describe("an upload over a socket", () => {
  testLong("of 150 MiB leaves the process below 100 MB of growth", async () => {
    using folder = new Folder();
    await using child = new Child("serve-uploads", folder.path);
    const port = Number(await child.next());
    const hash = new Bun.CryptoHasher("sha256");
    const [start = "", end = ""] = String(multipart(file("f", "|", "big.bin")).body).split("|");
    async function* send(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(start);
      for (let index = 0; index < 150; index++) {
        const piece = crypto.getRandomValues(new Uint8Array(64 * 1024));
        for (let repeat = 0; repeat < 16; repeat++) {
          hash.update(piece);
          yield piece;
        }
      }
      yield Buffer.from(end);
    }
    const init = { method: "POST", body: send(), headers: { "content-type": TYPE } };
    const response = await fetch(`http://localhost:${port}/`, init as unknown as RequestInit);
    expect(response.status).toBe(200);
    const { sizes, growth } = (await child.next()) as { sizes: number[]; growth: number };
    expect(sizes).toEqual([150 * MIB]);
    expect(growth).toBeLessThan(100_000_000);
    const saved = new Bun.CryptoHasher("sha256");
    for await (const chunk of Bun.file(folder.file("big.bin")).stream()) saved.update(chunk);
    expect(saved.digest("hex")).toBe(hash.digest("hex"));
  });

  test.each([
    ["in chunks", { "transfer-encoding": "chunked" }],
    ["with a Content-Length", { "content-length": "1000000" }],
  ])(
    "that breaks off %s is answered with 400, logs nothing and leaves nothing",
    async (_, headers) => {
      using folder = new Folder();
      using error = quiet("error");
      const saving = Promise.withResolvers<void>();
      const failed = Promise.withResolvers<unknown>();
      const app = new Probe(async (request) => {
        for await (const part of request.parts()) {
          const saved = part.save(folder.file("out.txt"), { onProgress: () => saving.resolve() });
          await saved.catch((reason) => {
            failed.resolve(reason);
            throw reason;
          });
        }
      });
      const { port } = serve(app);
      const start = `--edge\r\nContent-Disposition: form-data; ${file("f", "x".repeat(100_000))}`;
      const chunk =
        "content-length" in headers ? start : `${start.length.toString(16)}\r\n${start}\r\n`;
      const connection = await Connection.open(port);
      connection.send(head("POST /page HTTP/1.1", { "content-type": TYPE, ...headers }) + chunk);
      await saving.promise;
      expect(readdirSync(folder.path)).toEqual([expect.stringMatching(/^\.upload-/)]);
      connection.close();
      expect(await failed.promise).toMatchObject({
        status: 400,
        message: "The request's body is incomplete.",
      });
      expect(readdirSync(folder.path)).toEqual([]);
      await app.close();
      expect(error.mock.calls).toEqual([]);
    },
  );

  test("S9: is answered with 413 beyond a limit, while the client still sends", async () => {
    using error = quiet("error");
    const app = new Probe(async (request) => {
      for await (const part of request.parts({ maxFileBytes: 1000 })) await part.bytes();
    });
    const { port } = serve(app);
    const body = `--edge\r\nContent-Disposition: form-data; ${file("f", "x".repeat(100_000))}`;
    const start = head("POST /page HTTP/1.1", {
      "content-type": TYPE,
      "content-length": "1000000",
    });
    expect(await exchange(port, start + body)).toStartWith("HTTP/1.1 413");
    await app.close();
    expect(error.mock.calls).toEqual([]);
  });
});
