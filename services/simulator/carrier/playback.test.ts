import { expect, test } from "bun:test";
import { Playback } from "./playback.ts";

function player() {
  const passed: string[] = [];
  return { passed, playback: new Playback((name) => passed.push(name)) };
}

test("Playback plays at real pace and echoes marks", () => {
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

test("clear drops unheard audio and passes its marks", () => {
  const { playback, passed } = player();
  playback.queue(1000, 0);
  playback.mark("end", 0);
  playback.clear(300);
  expect(passed).toEqual(["end"]);
  expect(playback.heardMs(300)).toBe(300);
  expect(playback.queue(100, 400)).toBe(400);
});
