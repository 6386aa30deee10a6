// Saves what is uploaded into the folder that it is given, and tells the parent the port, and then the
// size of each file and by how many bytes the process has grown at most.
import { join } from "node:path";

import { Body } from "../../../../src/app/body.ts";

const MIB = 1024 * 1024;
const [folder = "."] = process.argv.slice(2);

/** The most memory that the process has had at any time, in bytes. */
async function readPeak(): Promise<number> {
  const status = await Bun.file("/proc/self/status").text();
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) * 1024;
}

const server = Bun.serve({
  port: 0,
  maxRequestBodySize: 200 * MIB,
  fetch: async (request) => {
    const body = new Body(request, { maxBodyBytes: MIB, maxUploadBytes: 200 * MIB }, true);
    const before = await readPeak();
    const sizes = [];
    for await (const part of body.parts({})) {
      sizes.push(await part.save(join(folder, part.filename)));
    }
    process.send?.({ sizes, growth: (await readPeak()) - before });
    return new Response();
  },
});

process.send?.(server.port);
