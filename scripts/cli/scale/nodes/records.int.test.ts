import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { kvPut } from "../../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../../lib/consul/client.ts";
import { cordonKey } from "../../../../lib/routing/index.ts";
import { startConsulServer } from "../../../../lib/testing/consul_server.ts";
import { connectConsul } from "../../../stack/consul.ts";
import type { Nomad } from "../../../stack/nomad.ts";
import { HttpFailure } from "../../operator/http.ts";
import type { Target } from "../target.ts";
import { cordonShards, readCordon, uncordonShards } from "./cordon.ts";
import { endRelocation } from "./end_relocation.ts";
import { deleteRelocation, readRelocations, writeRelocation } from "./relocation_record.ts";

let server: Awaited<ReturnType<typeof startConsulServer>>;
let consul: ConsulClient;
let target: Target;
beforeAll(async () => {
  server = await startConsulServer();
  consul = connectConsul(server.addr);
  target = { consul } as Target;
});
afterAll(() => server.stop());
beforeEach(async () => {
  await consul.api.kv.del({ key: "prosaas/", recurse: true });
});

describe("the cordon", () => {
  test("adds and removes shards, once each", async () => {
    expect(await readCordon(target)).toEqual([]);
    await cordonShards(target, [3, 1]);
    await cordonShards(target, [1, 2]);
    expect(await readCordon(target)).toEqual([1, 2, 3]);
    await uncordonShards(target, [1, 9]);
    expect(await readCordon(target)).toEqual([2, 3]);
  });

  test("replaces a damaged value", async () => {
    await kvPut(consul, cordonKey, "{");
    await cordonShards(target, [1]);
    expect(await readCordon(target)).toEqual([1]);
  });
});

describe("relocation records", () => {
  test("are read by shard until they are deleted", async () => {
    expect(await readRelocations(target)).toEqual(new Map());
    await writeRelocation(target, 12, { nodes: ["a", "b"] });
    await writeRelocation(target, 3, { nodes: ["b", "c"], held: "b" });
    expect(await readRelocations(target)).toEqual(
      new Map([
        [12, { nodes: ["a", "b"] }],
        [3, { nodes: ["b", "c"], held: "b" }],
      ]),
    );
    await deleteRelocation(target, 12);
    await deleteRelocation(target, 12);
    expect([...(await readRelocations(target)).keys()]).toEqual([3]);
  });

  test("are not guessed when damaged", async () => {
    await kvPut(consul, "prosaas/whatsapp/relocations/1", '{"nodes":[]}');
    await expect(readRelocations(target)).rejects.toThrow();
  });
});

describe("endRelocation", () => {
  const volume = { ID: "v1", Name: "wa-auth[2]", NodeID: "b" };
  let posts: string[];
  let isForgotten: boolean;
  const nomad = (async (_: string, path: string, body: { Eligibility: string }) => {
    if (isForgotten) throw new HttpFailure(404, "node not found");
    posts.push(`${path} ${body.Eligibility}`);
  }) as unknown as Nomad;
  const end = (left: (typeof volume)[]) => endRelocation({ consul, nomad }, 3, "c", left);

  beforeEach(async () => {
    posts = [];
    isForgotten = false;
    await writeRelocation(target, 3, { nodes: ["b", "c"], held: "b" });
    await cordonShards(target, [3]);
  });

  test("gives the held node back", async () => {
    expect(await end([])).toBeUndefined();
    expect(posts).toEqual(["/v1/node/b/eligibility eligible"]);
    expect(await readRelocations(target)).toEqual(new Map());
    expect(await readCordon(target)).toEqual([]);
  });

  test("holds a node with a former volume", async () => {
    expect(await end([volume])).toContain("nomad volume delete -type=host v1; then run task node:join NODE=b.");
    expect(posts).toEqual([]);
    expect(await readRelocations(target)).toEqual(new Map([[3, { nodes: ["b", "c"], held: "b" }]]));
    expect(await readCordon(target)).toEqual([]);
  });

  test("accepts a held node that Nomad has forgotten", async () => {
    isForgotten = true;
    await end([]);
    expect(await readRelocations(target)).toEqual(new Map());
  });
});
