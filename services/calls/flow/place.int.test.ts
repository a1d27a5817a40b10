import { afterAll, beforeAll, expect, test } from "bun:test";
import { AppError } from "../../../lib/core/errors.ts";
import { createPlacings } from "../state/placings.ts";
import { sid } from "../testing/call.ts";
import { someNumber, startStack } from "../testing/stack.ts";
import type { Stack } from "../testing/stack.ts";
import { createCarrier } from "../twilio/rest.ts";
import type { Carrier } from "../twilio/rest.ts";
import { publicUrls } from "./instructions.ts";
import { placeCallOnce } from "./place.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

test("an order whose outcome is in doubt is not placed again by the same key", async () => {
  const { scope, number } = await stack.business();
  const { core } = stack.replicas[0]!;
  const options = { urls: publicUrls(stack.door.url), placings: createPlacings({ redis: stack.redis }) };
  /** Whether each of two orders, one after the other, was told of a call. */
  const orderTwice = async (through: typeof core, carrier: Carrier): Promise<boolean[]> => {
    const [order, key] = [{ business_id: scope.businessId, from: number, to: someNumber() }, crypto.randomUUID()];
    const place = () =>
      placeCallOnce(through, { ...options, carrier }, order, key).then(
        () => true,
        () => false,
      );
    return [await place(), await place()];
  };

  // Redis is gone for a moment just after the carrier took the call.
  let placed = 0;
  let blinks = 1;
  const store: typeof core.store = {
    ...core.store,
    begin: (call) =>
      blinks-- > 0 ? Promise.reject(new AppError("unavailable", "Redis cannot be reached.")) : core.store.begin(call),
  };
  const carrier: Carrier = {
    placeCall: async () => {
      placed += 1;
      return sid("CA");
    },
  };
  expect(await orderTwice({ ...core, store }, carrier)).toEqual([true, true]);
  expect(placed).toBe(1);
  const before = await stack.capacity.count();

  for (const reply of [
    () => new Response('{"sid":"CA', { status: 201 }),
    () => new Response("<html>bad gateway", { status: 502 }),
  ]) {
    let asked = 0;
    const api = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => (asked++, reply()) });
    const { accountSid, authToken } = stack.carrier;
    const apiUrl = `http://127.0.0.1:${api.port}`;
    expect(await orderTwice(core, createCarrier({ apiUrl, accountSid, authToken }))).toEqual([false, false]);
    expect(asked).toBe(1);
    await api.stop(true);
  }
  // The telephones may be ringing.
  expect(await stack.capacity.count()).toBe(before + 2);
});
