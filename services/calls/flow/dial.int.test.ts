import { afterAll, beforeAll, expect, test } from "bun:test";
import { AppError } from "../../../lib/core/errors.ts";
import { createDialOrders } from "../state/dial_orders.ts";
import { sid } from "../testing/call.ts";
import { someNumber, startStack } from "../testing/stack.ts";
import type { Stack } from "../testing/stack.ts";
import { createCarrier } from "../twilio/rest.ts";
import type { Carrier } from "../twilio/rest.ts";
import { publicUrls } from "./instructions.ts";
import { dialOnce } from "./dial.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

test("never dials an order of unknown outcome twice", async () => {
  const { scope, number } = await stack.business();
  const { core } = stack.replicas[0]!;
  const options = { urls: publicUrls(stack.door.url), orders: createDialOrders({ redis: stack.redis }) };
  /** Sends the same order twice; returns whether each request succeeded. */
  const orderTwice = async (through: typeof core, carrier: Pick<Carrier, "dial">): Promise<boolean[]> => {
    const [order, key] = [{ business_id: scope.businessId, from: number, to: someNumber() }, crypto.randomUUID()];
    const dial = () =>
      dialOnce(through, { ...options, carrier }, order, key).then(
        () => true,
        () => false,
      );
    return [await dial(), await dial()];
  };

  // Redis fails once, just after the carrier accepted the call.
  let dialled = 0;
  let failures = 1;
  const store: typeof core.store = {
    ...core.store,
    begin: (call) =>
      failures-- > 0 ? Promise.reject(new AppError("unavailable", "Redis is unavailable.")) : core.store.begin(call),
  };
  const carrier: Pick<Carrier, "dial"> = {
    dial: async () => {
      dialled += 1;
      return sid("CA");
    },
  };
  expect(await orderTwice({ ...core, store }, carrier)).toEqual([true, true]);
  expect(dialled).toBe(1);
  const before = await stack.capacity.count();

  for (const reply of [
    () => new Response('{"sid":"CA', { status: 201 }),
    () => new Response("<html>bad gateway", { status: 502 }),
  ]) {
    let requests = 0;
    const api = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => (requests++, reply()) });
    const { accountSid, authTokens } = stack.carrier;
    const apiUrl = `http://127.0.0.1:${api.port}`;
    expect(await orderTwice(core, createCarrier({ apiUrl, accountSid, authToken: authTokens[0]! }))).toEqual([
      false,
      false,
    ]);
    expect(requests).toBe(1);
    await api.stop(true);
  }
  // Both telephones may be ringing, so both slots stay taken.
  expect(await stack.capacity.count()).toBe(before + 2);
});
