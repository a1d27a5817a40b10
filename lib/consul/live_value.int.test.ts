import { afterAll, expect, test } from "bun:test";
import { testConsulAddr, uniqueName } from "../testing/servers.ts";
import { until } from "../testing/until.ts";
import { createConsul, kvPut } from "./client.ts";
import { followValue } from "./live_value.ts";

const consul = createConsul({ addr: testConsulAddr() });
const stop = new AbortController();
afterAll(() => stop.abort());

const parse = (text: string) => (text === "" || Number.isNaN(Number(text)) ? null : Number(text));

test("the first value counts until the key exists, then the key's, and again once it is deleted", async () => {
  const key = uniqueName("test/live");
  const changes: number[] = [];
  const live = followValue({
    consul,
    key,
    first: 1,
    parse,
    signal: stop.signal,
    onChange: (value) => changes.push(value),
  });
  await live.ready;
  expect(live.current()).toBe(1);
  for (const [text, value] of [
    ["5", 5],
    [" 7\n", 7],
  ] as const) {
    await kvPut(consul, key, text);
    await until(() => live.current() === value, { what: text });
  }
  await consul.api.kv.del(key);
  await until(() => live.current() === 1, { what: "the first value again" });
  expect(changes).toEqual([5, 7, 1]);
});

test("a text that makes no sense is told of and changes nothing", async () => {
  const key = uniqueName("test/live");
  const errors: unknown[] = [];
  await kvPut(consul, key, "5");
  const live = followValue({
    consul,
    key,
    first: 1,
    parse,
    signal: stop.signal,
    onError: (error) => errors.push(error),
  });
  await live.ready;
  await kvPut(consul, key, "five");
  await until(() => errors.length > 0, { what: "the complaint" });
  expect(live.current()).toBe(5);
});
