import { beforeEach, describe, expect, test } from "bun:test";
import type { Nomad } from "../../stack/nomad.ts";
import { HttpFailure } from "../operator/http.ts";
import { purgeNode } from "./purge.ts";

const node = { id: "n1", name: "client-1", status: "disconnected", isEligible: true, isAlive: false };
const allocation = (ID: string, over = {}) => ({
  ID,
  DesiredStatus: "run",
  ClientStatus: "unknown",
  Job: { Type: "system" },
  ...over,
});
let status: string | null;
let allocations: ReturnType<typeof allocation>[];
let posts: string[];

const nomad = (async (method: string, path: string) => {
  if (method === "GET" && path === "/v1/node/n1") {
    if (status === null) throw new HttpFailure(404, "not found");
    return { Status: status };
  }
  if (method === "GET") return allocations;
  posts.push(path);
  const stopped = /^\/v1\/allocation\/(\w+)\/stop$/.exec(path)?.[1];
  allocations = allocations.map((one) => (one.ID === stopped ? { ...one, DesiredStatus: "stop" } : one));
  return {};
}) as Nomad;

beforeEach(() => {
  status = "disconnected";
  allocations = [];
  posts = [];
});

describe("purgeNode", () => {
  test("stops the allocations of system jobs first", async () => {
    allocations = [
      allocation("pooler"),
      allocation("failed", { ClientStatus: "failed" }),
      allocation("stopped", { DesiredStatus: "stop" }),
      allocation("shard", { Job: { Type: "service" } }),
    ];
    await purgeNode(nomad, node);
    expect(posts).toEqual(["/v1/allocation/pooler/stop", "/v1/node/n1/purge"]);
  });

  test("refuses a node that is back", async () => {
    status = "ready";
    await expect(purgeNode(nomad, node)).rejects.toThrow("client-1 is back");
    expect(posts).toEqual([]);
  });

  test("accepts a node that Nomad has forgotten", async () => {
    status = null;
    await purgeNode(nomad, node);
    expect(posts).toEqual([]);
  });
});
