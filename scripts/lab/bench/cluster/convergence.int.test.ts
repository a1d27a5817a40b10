import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConsul } from "../../../../lib/consul/client.ts";
import { DirectorySubscribers } from "../../rig/directory_subscribers.ts";
import { LightShards } from "../../rig/light_shards.ts";
import { consulServer } from "../../rig/servers.ts";
import type { Server } from "../../rig/servers.ts";
import { timeChanges, timeRestarts } from "./convergence.ts";
import type { Changing } from "./convergence.ts";

const count = 25;
let folder: string;
let agent: Server;
let changing: Changing;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-convergence-"));
  agent = await consulServer(folder);
  await agent.start();
  const consul = createConsul({ addr: agent.address });
  const shards = await LightShards.start({ folder, consul, first: 1, last: count, checkInterval: "1s" });
  const subscribers = await DirectorySubscribers.start({ folder, consul: agent.address, processes: 2, shards: count });
  changing = { shards, subscribers, numbers: Array.from({ length: count }, (_, n) => n + 1) };
});
afterAll(async () => {
  await changing?.subscribers.stop();
  await changing?.shards.stop();
  await agent?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("directories of several processes", () => {
  test("follow every kind of change", async () => {
    expect(await timeChanges(changing, (made) => made >= 4)).toHaveLength(4);
    expect(changing.subscribers.lost).toBe(0);
  });

  test("lose no shard by a restart of Consul", async () => {
    const consul = createConsul({ addr: agent.address });
    expect(await timeRestarts(changing, { agent, consul, restarts: 2 })).toHaveLength(2);
    expect(changing.subscribers.lost).toBe(0);
  });
});
