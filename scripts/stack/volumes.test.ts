import { afterEach, describe, expect, test } from "bun:test";
import { deleteVolume } from "./volumes.ts";

let nomad: Bun.Server<undefined> | undefined;
let deleted: string[] = [];

/** Starts a Nomad with one allocation of a shard, and returns its address. */
function nomadWith(allocation: { Name: string; NodeID: string; ClientStatus: string }): string {
  deleted = [];
  nomad = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ method, url }) => {
      const { pathname } = new URL(url);
      if (pathname === "/v1/job/wa-shards/allocations") return Response.json([{ ID: "a1", ...allocation }]);
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

  test.each([
    { Name: "wa-shards.shard[1]", NodeID: "node-2", ClientStatus: "running" },
    { Name: "wa-shards.shard[11]", NodeID: "node-1", ClientStatus: "running" },
    { Name: "wa-shards.shard[1]", NodeID: "node-1", ClientStatus: "complete" },
  ])("deletes beside $Name on $NodeID ($ClientStatus)", async (allocation) => {
    await deleteVolume(nomadWith(allocation), volume);
    expect(deleted).toEqual([`/v1/volume/host/${volume.ID}`]);
  });
});
