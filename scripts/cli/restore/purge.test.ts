import { beforeEach, describe, expect, test } from "bun:test";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { HttpFailure } from "../operator/http.ts";
import { NodeReturned, purgeNode } from "./purge.ts";

const node = { id: "n1", name: "client-1", status: "disconnected", isEligible: true, isAlive: false };
const allocation = (ID: string, over = {}) => ({
  ID,
  DesiredStatus: "run",
  ClientStatus: "unknown",
  Job: { Type: "system" },
  ...over,
});
let serf: string;
let status: string | null;
let allocations: ReturnType<typeof allocation>[];
let posts: string[];

const nomad = (async (method: string, path: string) => {
  if (method === "GET" && path === "/v1/node/n1") {
    if (status === null) throw new HttpFailure(404, "not found");
    return { Status: status, Attributes: {} };
  }
  if (method === "GET") return allocations;
  posts.push(path);
  if (path.endsWith("/stop")) onStop();
  const stopped = /^\/v1\/allocation\/(\w+)\/stop$/.exec(path)?.[1];
  allocations = allocations.map((one) => (one.ID === stopped ? { ...one, DesiredStatus: "stop" } : one));
  return {};
}) as Nomad;
const consul = {
  blockingGet: async () => ({ body: [{ CheckID: "serfHealth", Status: serf }] }),
} as unknown as ConsulClient;
let onStop: () => void;
const purge = (isForced = false) => purgeNode({ nomad, consul }, node, isForced);

beforeEach(() => {
  serf = "critical";
  status = "disconnected";
  onStop = () => {};
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
    await purge();
    expect(posts).toEqual(["/v1/allocation/pooler/stop", "/v1/node/n1/purge"]);
  });

  test("refuses a node that is back", async () => {
    status = "ready";
    await expect(purge()).rejects.toThrow("client-1 is back");
    expect(posts).toEqual([]);
  });

  test.each<[string, () => void]>([
    ["Nomad", () => (status = "ready")],
    ["Consul", () => (serf = "passing")],
  ])("refuses a node that returns to %s in between", async (_, comeBack) => {
    allocations = [allocation("pooler")];
    onStop = comeBack;
    await expect(purge()).rejects.toBeInstanceOf(NodeReturned);
    expect(posts).toEqual(["/v1/allocation/pooler/stop"]);
  });

  test("ignores Consul if forced", async () => {
    serf = "passing";
    await purge(true);
    expect(posts).toEqual(["/v1/node/n1/purge"]);
  });

  test("accepts a node that Nomad has forgotten", async () => {
    status = null;
    await purge();
    expect(posts).toEqual([]);
  });
});
