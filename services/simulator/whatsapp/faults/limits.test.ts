import { expect, test } from "bun:test";
import { Limits } from "./limits.ts";

const under = (settings: Limits["settings"]) => Object.assign(new Limits(), { settings });

test("without limits everything passes", () => {
  const limits = new Limits();
  for (let i = 0; i < 1_000; i++) expect(limits.refuse("1", String(i), 0)).toBeUndefined();
});

test("more messages than allowed within a minute are refused with 429, of each sender by itself", () => {
  const limits = under({ messages_per_minute: 3 });
  const answers = [0, 1, 2, 3].map((now) => limits.refuse("1", "9", now));
  expect(answers).toEqual([undefined, undefined, undefined, "429"]);
  expect(limits.refuse("2", "9", 4)).toBeUndefined();
  expect(limits.refuse("1", "9", 70_000)).toBeUndefined();
});

test("more chats than allowed are refused with 463; an answer and a chat that goes on pass", () => {
  const limits = under({ new_chats_per_minute: 1 });
  limits.acquaint("8", "1");
  expect(limits.refuse("1", "9", 0)).toBeUndefined();
  expect(limits.refuse("1", "9", 1)).toBeUndefined();
  expect(limits.refuse("1", "8", 2)).toBeUndefined();
  expect(limits.refuse("1", "7", 3)).toBe("463");
  expect(limits.refuse("1", "7", 70_000)).toBeUndefined();
});
