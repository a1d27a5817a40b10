import { afterAll, describe, expect, test } from "bun:test";
import { testConsulAddr, uniqueName } from "../testing/servers.ts";
import { until } from "../testing/until.ts";
import { createConsul, kvPut } from "./client.ts";
import { followValue } from "./live_value.ts";

const consul = createConsul({ addr: testConsulAddr() });
const stop = new AbortController();
afterAll(() => stop.abort());

const parse = (text: string) => (text === "" || Number.isNaN(Number(text)) ? null : Number(text));

const follow = (key: string, options: Partial<Parameters<typeof followValue<number>>[0]>) =>
  followValue({ consul, key, first: 1, parse, signal: stop.signal, ...options });

describe("followValue", () => {
  test("uses the first value while the key is missing", async () => {
    const key = uniqueName("test/live");
    const changes: number[] = [];
    const live = follow(key, { onChange: (value) => changes.push(value) });
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

  test("reports an invalid text and keeps the value", async () => {
    const key = uniqueName("test/live");
    const errors: unknown[] = [];
    await kvPut(consul, key, "5");
    const live = follow(key, { onError: (error) => errors.push(error) });
    await live.ready;
    await kvPut(consul, key, "five");
    await until(() => errors.length > 0, { what: "the reported error" });
    expect(live.current()).toBe(5);
  });
});
