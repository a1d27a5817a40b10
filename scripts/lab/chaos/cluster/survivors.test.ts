import { describe, expect, test } from "bun:test";
import { endedBetween, missingFrom } from "./survivors.ts";
import type { Running } from "./survivors.ts";

const running = (job: string, pid: number, node = "client-2"): Running => ({ job, node, pid });
const before = [running("nginx", 10), running("pgbouncer", 11), running("wa-shards", 12), running("api", 13)];

describe("endedBetween", () => {
  test("ignores survivors and new processes", () => {
    expect(endedBetween(before, [...before, running("api", 99)])).toEqual([]);
  });

  test("counts a restart of a lasting job", () => {
    const after = before.map((one) => (one.job === "nginx" ? running("nginx", 77) : one));
    expect(endedBetween(before, after)).toEqual([running("nginx", 10)]);
  });

  test("counts stateless jobs on request only", () => {
    const after = before.slice(0, 3);
    expect(endedBetween(before, after)).toEqual([]);
    expect(endedBetween(before, after, "all")).toEqual([running("api", 13)]);
  });

  test("takes no process of another node for a survivor", () => {
    expect(endedBetween([running("redis", 5, "client-1")], [running("redis", 5)])).toHaveLength(1);
  });
});

describe("missingFrom", () => {
  test("names lasting jobs that a node lacks", () => {
    const nodes = [
      { node: "client-1", isData: true },
      { node: "client-2", isData: false },
    ];
    expect(missingFrom(before, nodes)).toEqual(["postgres on client-1", "redis on client-1"]);
    expect(missingFrom(before, nodes.slice(1))).toEqual([]);
  });
});
