import { describe, expect, test } from "bun:test";
import { judgeNodes } from "./nodes.ts";
import type { NodeNow } from "./nodes.ts";
import { judgeServers } from "./servers.ts";
import type { Server } from "./servers.ts";
import { judgeServices } from "./services.ts";

const server = (name: string, over: Partial<Server> = {}): Server => ({
  name,
  serf: "alive",
  healthy: true,
  voter: true,
  lastIndex: 10_000,
  leads: name === "s1",
  ...over,
});
const three = (third: Partial<Server> = {}) => [server("s1"), server("s2"), server("s3", third)];
const judged = (servers: Server[], tolerance: number) =>
  judgeServers({ agent: "Nomad", leader: "10.0.0.1:4647", servers, tolerance }).map(({ severity, found }) => [
    severity,
    found,
  ]);

describe("servers", () => {
  test("are healthy alone and as three", () => {
    expect(judged([server("s1")], 0)).toEqual([]);
    expect(judged(three(), 1)).toEqual([]);
  });

  test("without a leader change nothing", () => {
    const [fault] = judgeServers({ agent: "Consul", leader: null, servers: [], tolerance: 0 });
    expect(fault).toMatchObject({ severity: "error", found: expect.stringContaining("Consul has no leader") });
    expect(fault?.help).toContain("consul operator raft list-peers");
  });

  test("that others do not reach are named", () => {
    expect(judged(three({ serf: "failed", healthy: false }), 0)).toEqual([
      ["error", "Server s3 of Nomad is failed: the others do not reach it."],
      ["warning", "Nomad has 3 voting servers and loses its majority with the next one."],
    ]);
  });

  test("behind the leader are named", () => {
    expect(judged(three({ lastIndex: 9_700 }), 1)).toEqual([
      ["error", "Server s3 of Nomad is 300 entries behind the leader."],
    ]);
    expect(judged(three({ lastIndex: 9_800 }), 1)).toEqual([]);
    expect(judged(three({ healthy: false }), 1)[0]?.[1]).toContain("its last contact with the leader is too old");
  });
});

const gigabyte = 2 ** 30;
type Stats = Extract<NodeNow["stats"], { clockAheadMs: number }>;
const stats = (over: Partial<Stats> = {}): Stats => ({
  memory: { total: 16 * gigabyte, free: 8 * gigabyte },
  disk: { total: 100 * gigabyte, free: 50 * gigabyte },
  clockAheadMs: 0,
  ...over,
});
const node = (over: Partial<NodeNow> = {}): NodeNow => ({
  name: "client-1",
  status: "ready",
  isEligible: true,
  isDraining: false,
  stats: stats(),
  ...over,
});
const ofNodes = (...nodes: NodeNow[]) => judgeNodes(nodes).map(({ severity, found }) => [severity, found]);

describe("nodes", () => {
  test("with room and the right time are healthy", () => {
    expect(ofNodes(node(), node({ name: "client-2", stats: stats({ clockAheadMs: -900 }) }))).toEqual([]);
  });

  test("are needed", () => {
    expect(ofNodes()).toEqual([["error", "Nomad has no client: nothing can run."]]);
  });

  test.each([
    [{ status: "down", stats: null }, "error", "Node client-1 is down: Nomad's servers do not reach it."],
    [{ status: "disconnected", stats: null }, "error", "Node client-1 is disconnected:"],
    [{ status: "initializing", stats: null }, "warning", "Node client-1 is initializing."],
    [{ isDraining: true, isEligible: false }, "warning", "Node client-1 is being drained."],
    [{ isEligible: false }, "warning", "Node client-1 is ineligible: nothing starts there."],
    [{ stats: { unread: "403" } }, "unknown", "The memory, disk and clock of node client-1 could not be read: 403."],
  ] as const)("report the state %o", (over, severity, found) => {
    expect(ofNodes(node(over))).toEqual([[severity, expect.stringContaining(found)]]);
  });

  test("low on memory or disk are named", () => {
    const low = (disk: number) =>
      node({
        stats: stats({
          memory: { total: 10 * gigabyte, free: 0.5 * gigabyte },
          disk: { total: 100 * gigabyte, free: disk },
        }),
      });
    expect(ofNodes(low(8 * gigabyte))).toEqual([
      ["warning", "The disk of node client-1 has 8.0 GB (8 %) free."],
      ["warning", "The memory of node client-1 has 0.5 GB (5 %) free."],
    ]);
    expect(ofNodes(low(gigabyte))[0]?.[0]).toBe("error");
  });

  test("whose clock differs from the others are named", () => {
    const at = (name: string, clockAheadMs: number) => node({ name, stats: stats({ clockAheadMs }) });
    expect(ofNodes(at("a", 100), at("b", -200), at("c", 30_000))).toEqual([
      ["warning", "The clock of node c is 30 s ahead."],
    ]);
    expect(ofNodes(at("a", -60_000), at("b", -60_000), at("c", -60_000))).toEqual([
      ["warning", "The clock of this machine and those of the nodes differ by 60 s."],
    ]);
  });
});

describe("services", () => {
  const check = (over: object) => ({ node: "n1", service: "prosaas-api", check: "ready", output: "503", ...over });

  test("report all critical checks of a service together", () => {
    const faults = judgeServices([check({}), check({ node: "n2" }), check({ service: "redis", output: "refused" })]);
    expect(faults.map(({ found }) => found)).toEqual([
      "Service prosaas-api fails 2 checks on n1, n2: ready: 503.",
      "Service redis fails 1 check on n1: ready: refused.",
    ]);
  });

  test("report checks of a node", () => {
    const faults = judgeServices([check({ service: "", check: "Serf Health Status", output: "Agent not live" })]);
    expect(faults[0]?.found).toBe('Node n1 fails the check "Serf Health Status" in Consul: Agent not live.');
    expect(judgeServices([])).toEqual([]);
  });
});
