import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import { createConsul, kvGet } from "../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import { holdLock } from "../../../lib/consul/lock.ts";
import { scaleLockKey } from "../../../lib/scaling/index.ts";
import type { Holder } from "../../../lib/scaling/index.ts";
import { startConsulServer } from "../../../lib/testing/consul_server.ts";
import type { ConsulServer } from "../../../lib/testing/consul_server.ts";
import { takeScaleLock } from "./lock.ts";

/** Of its own: other tests scale, too. */
let server: ConsulServer;
let consul: ConsulClient;
beforeAll(async () => {
  server = await startConsulServer();
  consul = createConsul({ addr: server.addr });
});
afterAll(() => server.stop());
beforeEach(() => consul.api.kv.del(scaleLockKey));

/** No process has it: Linux gives out at most 2^22. */
const deadPid = 2 ** 22 + 1;

const take = (deadlineMs: number) => takeScaleLock({ consul, command: "test", deadlineMs, onLost: () => {} });

/** The value that a command of this machine writes into the lock. */
async function holderHere(): Promise<Holder> {
  const lock = await take(1_000);
  const entry = await kvGet(consul, scaleLockKey);
  await lock.release();
  return JSON.parse(entry!.value) as Holder;
}

const hold = (holder: Holder) =>
  holdLock({ consul, key: scaleLockKey, value: JSON.stringify(holder), ttlS: 10, onLost: () => {} });

describe("takeScaleLock", () => {
  test("takes over from a dead process of this machine", async () => {
    await hold({ ...(await holderHere()), pid: deadPid });
    const successor = await take(1_000);
    expect(successor.state).toBe("held");
    await successor.release();
  });

  test("waits for another machine of the same name", async () => {
    const holder = await hold({ ...(await holderHere()), pids: "another machine", host: hostname(), pid: deadPid });
    await expect(take(500)).rejects.toThrow(`pid ${deadPid} on ${hostname()}`);
    expect(holder.state).toBe("held");
    await holder.release();
  });
});
