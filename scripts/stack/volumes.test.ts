import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { deleteVolume, ensureVolumes, volumesOfShards } from "./volumes.ts";
import type { Volume } from "./volumes.ts";

let nomad: Bun.Server<undefined> | undefined;
let deleted: string[] = [];

/**
 * Starts a Nomad with one allocation of a shard, and returns its address. `completeAfter`: the number of requests after
 * which the allocation is complete.
 */
function nomadWith(
  allocation: { Name: string; NodeID: string; ClientStatus: string; DesiredStatus?: string },
  { completeAfter = Number.POSITIVE_INFINITY } = {},
): string {
  deleted = [];
  let asked = 0;
  nomad = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ method, url }) => {
      const { pathname } = new URL(url);
      if (pathname === "/v1/job/wa-shards/allocations") {
        const now = ++asked > completeAfter ? { ...allocation, ClientStatus: "complete" } : allocation;
        return Response.json([{ ID: "a1", DesiredStatus: "run", ...now }]);
      }
      if (method === "DELETE") deleted.push(pathname);
      return Response.json({ Volumes: [] });
    },
  });
  return nomad.url.href;
}

afterEach(() => nomad?.stop(true));

describe("deleteVolume", () => {
  const volume = { ID: "5f1c2c1e-7c53-4d0c-9a62-0f6e3f3a2b11", Name: "wa-auth[1]", NodeID: "node-1" };

  test.each(["pending", "running", "unknown"])("refuses while the shard's allocation is %s", async (ClientStatus) => {
    const addr = nomadWith({ Name: "wa-shards.shard[1]", NodeID: "node-1", ClientStatus });
    await expect(deleteVolume(addr, volume)).rejects.toThrow(`allocation a1 of the shard is ${ClientStatus}`);
    expect(deleted).toEqual([]);
  });

  const stopped = { Name: "wa-shards.shard[1]", NodeID: "node-1", DesiredStatus: "stop" };

  test("waits for an allocation that Nomad is stopping", async () => {
    await deleteVolume(nomadWith({ ...stopped, ClientStatus: "pending" }, { completeAfter: 2 }), volume);
    expect(deleted).toEqual([`/v1/volume/host/${volume.ID}`]);
  });

  test.each(["running", "unknown"])("refuses if a stopped allocation stays %s", async (ClientStatus) => {
    const addr = nomadWith({ ...stopped, ClientStatus });
    await expect(deleteVolume(addr, volume, { stoppedWithinMs: 400 })).rejects.toThrow(
      `is ${ClientStatus} on its node`,
    );
    expect(deleted).toEqual([]);
  });

  test.each([
    { Name: "wa-shards.shard[1]", NodeID: "node-2", ClientStatus: "running" },
    { Name: "wa-shards.shard[11]", NodeID: "node-1", ClientStatus: "running" },
    { Name: "wa-shards.shard[1]", NodeID: "node-1", ClientStatus: "complete" },
  ])("deletes beside $Name on $NodeID ($ClientStatus)", async (allocation) => {
    await deleteVolume(nomadWith(allocation), volume);
    expect(deleted).toEqual([`/v1/volume/host/${volume.ID}`]);
  });
});

describe("ensureVolumes", () => {
  const onNode1 = new Map([["wa-auth[1]", { id: "node-1", name: "client-1" }]]);
  const stuck: Volume = {
    ID: "5f1c2c1e-7c53-4d0c-9a62-0f6e3f3a2b11",
    Name: "wa-auth[1]",
    NodeID: "node-1",
    State: "pending",
    CreateIndex: 7,
    ModifyIndex: 7,
  };
  let volumes: Volume[];
  let created: string[];
  let refusals: Response[];

  /** Starts a Nomad whose new volumes are ready at once. */
  function nomadWithVolumes(): string {
    created = [];
    deleted = [];
    nomad = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        if (pathname === "/v1/volumes") return Response.json(volumes);
        if (request.method === "DELETE") {
          deleted.push(pathname.split("/").at(-1)!);
          volumes = volumes.filter(({ ID }) => ID !== deleted.at(-1));
          return Response.json({});
        }
        if (pathname !== "/v1/volume/host/create") return Response.json([]);
        const refusal = refusals.shift();
        if (refusal !== undefined) return refusal;
        const { Volume: made } = (await request.json()) as { Volume: Volume };
        created.push(`${made.Name} on ${made.NodeID}`);
        volumes.push({ ...made, ID: `v${created.length}`, State: "ready" });
        return Response.json({ Volume: { ...made, ID: `v${created.length}` } });
      },
    });
    return nomad.url.href;
  }
  const ensure = (plan: typeof onNode1 = new Map(), readyMs = 10_000) =>
    ensureVolumes(nomadWithVolumes(), volumesOfShards([1]), plan, { readyMs, pendingMs: 0 });

  beforeEach(() => {
    volumes = [];
    refusals = [];
  });

  test("makes a planned volume on its node, beside another", async () => {
    volumes = [{ ...stuck, NodeID: "node-2", State: "ready" }];
    await ensure(onNode1);
    expect(created).toEqual(["wa-auth[1] on node-1"]);
    expect(deleted).toEqual([]);
  });

  test.each([
    ["a planned volume", onNode1],
    ["one of an earlier run", new Map()],
  ])("makes %s again that stays pending", async (_, plan) => {
    volumes = [stuck];
    await ensure(plan);
    expect(deleted).toEqual([stuck.ID]);
    expect(created).toEqual(["wa-auth[1] on node-1"]);
  });

  test("keeps a pending volume that was ready before", async () => {
    volumes = [{ ...stuck, ModifyIndex: 8 }];
    await expect(ensure(onNode1, 700)).rejects.toThrow("wa-auth[1] is pending on node node-1");
    expect(deleted).toEqual([]);
  });

  test("retries during an election", async () => {
    refusals = [new Response("No cluster leader", { status: 500 })];
    await ensure(onNode1);
    expect(created).toEqual(["wa-auth[1] on node-1"]);
  });

  test("retries the creation of a volume that it deleted", async () => {
    volumes = [stuck];
    refusals = [new Response("No cluster leader", { status: 500 })];
    await ensure();
    expect(deleted).toEqual([stuck.ID]);
    expect(created).toEqual(["wa-auth[1] on node-1"]);
  });

  test("ends at once without the right", async () => {
    refusals = [new Response("Permission denied", { status: 403 })];
    await expect(ensure(onNode1)).rejects.toThrow("Permission denied");
  });
});
