import { describe, expect, test } from "bun:test";

import { Tombstones } from "../../src/store/tombstones.ts";

function filled(size: number, count: number): Tombstones {
  const tombstones = new Tombstones(size);
  for (let index = 0; index < count; index++) tombstones.add(String(index));
  return tombstones;
}

function remembered(tombstones: Tombstones, count: number): number {
  return Array.from({ length: count }, (_, index) => String(index)).filter((id) =>
    tombstones.has(id),
  ).length;
}

describe("Tombstones", () => {
  test.each([
    [1, 1],
    [10, 10],
    [11, 11],
    [20, 20],
    [21, 11],
    [30, 20],
    [1_000, 20],
  ])("of %i ids, two generations of 10 remember the last %i", (count, kept) => {
    const tombstones = filled(10, count);
    expect(remembered(tombstones, count)).toBe(kept);
    for (let index = count - kept; index < count; index++) {
      expect(tombstones.has(String(index))).toBe(true);
    }
  });

  test("remember at least 50,000 and at most 100,000 by default", () => {
    const tombstones = new Tombstones();
    for (let index = 0; index <= 100_000; index++) tombstones.add(String(index));
    expect(tombstones.has("0")).toBe(false);
    expect(tombstones.has("50000")).toBe(true);
    expect(tombstones.has("100000")).toBe(true);
  });

  test("forget an id that is deleted, from either generation", () => {
    const tombstones = filled(10, 15);
    for (const id of ["3", "13"]) {
      tombstones.delete(id);
      expect(tombstones.has(id)).toBe(false);
    }
    expect(remembered(tombstones, 15)).toBe(13);
  });

  test("return the note that was added with an id, from either generation", () => {
    const tombstones = new Tombstones(10);
    const notes = Array.from({ length: 15 }, (_, index) => ({
      supersededBy: `new ${index}`,
      expiresAt: index,
    }));
    for (const [index, note] of notes.entries()) tombstones.add(`old ${index}`, note);
    expect(notes.map((_, index) => tombstones.findNote(`old ${index}`))).toEqual(notes);
    expect(tombstones.findNote("another")).toBeUndefined();
  });

  test.each([
    ["the younger", 5],
    ["the older", 15],
  ])("forget the note of an id that is added again without one, from %s generation", (_, count) => {
    const tombstones = new Tombstones(10);
    tombstones.add("id", { supersededBy: "new", expiresAt: 1 });
    for (let index = 0; index < count; index++) tombstones.add(String(index));
    tombstones.add("id");
    expect(tombstones.has("id")).toBe(true);
    expect(tombstones.findNote("id")).toBeUndefined();
  });
});
