import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";

const BLOCK = 4096;
/** The head of a write-ahead log. It has numbers that change when the log is begun anew. */
const HEAD = 32;

type Random = (limit: number) => number;

/** What a disk holds of a database: the file, and the write-ahead log beside it. */
export interface Disk {
  readonly file: Buffer;
  readonly log: Buffer;
}

function readDisk(path: string): Disk {
  return { file: readFileSync(path), log: readFileSync(`${path}-wal`) };
}

export function writeDisk(path: string, { file, log }: Disk): void {
  writeFileSync(path, file);
  writeFileSync(`${path}-wal`, log);
}

/** Overwrites a page of a database, the first of which is 0. Gives what restores it. */
export function overwritePage(path: string, page: number, content: Uint8Array): () => void {
  const former = new Uint8Array(content.length);
  const file = openSync(path, "r+");
  readSync(file, former, 0, former.length, page * content.length);
  closeSync(file);
  const write = (bytes: Uint8Array): void => {
    const output = openSync(path, "r+");
    writeSync(output, bytes, 0, bytes.length, page * bytes.length);
    closeSync(output);
  };
  write(content);
  return () => write(former);
}

/** As much as a page of a database, of what nobody has written there. */
export function noise(random: Random): Uint8Array {
  return Uint8Array.from({ length: BLOCK }, () => random(256));
}

/**
 * Follows a database whose `synchronous` is NORMAL, and knows what a loss of power can take from it.
 * SQLite syncs the log before it moves it into the file, the file after that, and the log's head when
 * it begins the log anew. All else reaches the disk when and in what order the system likes.
 */
export class UnsyncedDisk {
  readonly #path: string;
  #now: Disk;
  #before: Disk;
  /** The log when it was synced last, and how much of what it is now cannot be lost. */
  #synced: Buffer;
  #safe = 0;

  constructor(path: string) {
    this.#path = path;
    this.#now = readDisk(path);
    this.#before = this.#now;
    this.#synced = Buffer.alloc(0);
  }

  /** Looks again, after each commit. `true`: the log has been moved into the file since. */
  look(): boolean {
    this.#before = this.#now;
    this.#now = readDisk(this.#path);
    const isMoved = !this.#now.file.equals(this.#before.file);
    if (isMoved) {
      this.#synced = this.#now.log;
      this.#safe = this.#now.log.length;
    } else if (!this.#now.log.subarray(0, HEAD).equals(this.#before.log.subarray(0, HEAD))) {
      this.#safe = HEAD;
    }
    return isMoved;
  }

  /** Power is lost before the log's end is written: it is cut at any byte. */
  cut(random: Random): Disk {
    const { file, log } = this.#now;
    return { file, log: log.subarray(0, this.#safe + random(log.length - this.#safe + 1)) };
  }

  /** Some blocks of the log are not written, though later ones are: there is whatever was there. */
  loseBlocks(random: Random): Disk {
    const log = Buffer.from(this.#now.log);
    const first = Math.floor(this.#safe / BLOCK);
    for (let left = 1 + random(3); left > 0; left--) {
      const index = first + random(Math.ceil(log.length / BLOCK) - first + 1);
      const start = Math.max(this.#safe, index * BLOCK);
      const end = (index + 1) * BLOCK;
      fill(log.subarray(start, end), this.#synced.subarray(start, end), random);
    }
    return { file: this.#now.file, log };
  }

  /** Power is lost while the log, long synced, is moved into the file: any block may be half done. */
  tear(random: Random): Disk {
    const { log } = this.#now;
    const file = Buffer.from(this.#now.file);
    for (let start = 0; start < file.length; start += BLOCK) {
      const block = file.subarray(start, start + BLOCK);
      const before = this.#before.file.subarray(start, start + BLOCK);
      if (block.equals(before)) continue;
      const from = random(BLOCK);
      fill(block.subarray(from), before.subarray(from), random);
    }
    return { file, log };
  }
}

/** What a block holds that was not written: what was there, or zeros, or noise. */
function fill(block: Buffer, before: Buffer, random: Random): void {
  const choice = random(3);
  if (choice === 2) block.set(noise(random).subarray(0, block.length));
  else block.fill(0);
  if (choice === 0) before.copy(block);
}
