import { expect, test } from "bun:test";
import { Playback } from "./playback.ts";

function player() {
  const passed: string[] = [];
  return { passed, playback: new Playback((name) => passed.push(name)) };
}

test("audio is heard at real pace however fast it comes, and a mark when what was before it was heard", () => {
  const { playback, passed } = player();
  expect(playback.queue(1000, 0)).toBe(0);
  expect(playback.queue(500, 10)).toBe(1000);
  playback.mark("end", 20);
  playback.tick(1400);
  expect(passed).toEqual([]);
  expect(playback.heardMs(1400)).toBe(1400);
  playback.tick(1500);
  expect(passed).toEqual(["end"]);
});

test("clear silences what was not heard yet, and passes its marks at once", () => {
  const { playback, passed } = player();
  playback.queue(1000, 0);
  playback.mark("end", 0);
  playback.clear(300);
  expect(passed).toEqual(["end"]);
  expect(playback.heardMs(300)).toBe(300);
  expect(playback.queue(100, 400)).toBe(400);
});
