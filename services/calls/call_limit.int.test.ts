import { afterAll, expect, test } from "bun:test";
import { createConsul, kvPut } from "../../lib/consul/client.ts";
import { testConsulAddr, uniqueName } from "../../lib/testing/servers.ts";
import { until } from "../../lib/testing/until.ts";
import { followCallLimit, parseLimit } from "./call_limit.ts";

const consul = createConsul({ addr: testConsulAddr() });
const stop = new AbortController();
afterAll(() => stop.abort());

test("the limit is the first value until the key exists, then the key's, and what is no number changes nothing", async () => {
  const key = uniqueName("test/max_concurrent");
  const errors: unknown[] = [];
  const limit = followCallLimit({ consul, first: 50, signal: stop.signal, key, onError: (error) => errors.push(error) });
  expect(limit.current()).toBe(50);
  await kvPut(consul, key, "150");
  await until(() => limit.current() === 150, { what: "the raised limit" });
  await kvPut(consul, key, "plenty");
  await until(() => errors.length > 0, { what: "the complaint" });
  expect(limit.current()).toBe(150);
  await kvPut(consul, key, " 0\n");
  await until(() => limit.current() === 0, { what: "the lowered limit" });
  await consul.api.kv.del(key);
  await until(() => limit.current() === 50, { what: "the first value again" });
});

test("only whole numbers within reason are limits", () => {
  expect(["0", " 7 ", "100000"].map(parseLimit)).toEqual([0, 7, 100_000]);
  expect(["", "-1", "1.5", "1e3", "100001", "0x10", "fifty"].map(parseLimit)).toEqual([null, null, null, null, null, null, null]);
});
