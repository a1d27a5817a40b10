import { describe, expect, test } from "bun:test";
import { examine, part } from "./examine.ts";
import { bySeverity, describeFinding, duration, error, quoted, warning } from "./finding.ts";

const fails = (area: string, message: string, help = `Check ${area}.`) =>
  part(
    area,
    help,
    () => Promise.reject(new Error(message)),
    () => [],
  );

describe("examine", () => {
  test("judges the facts of each part", async () => {
    const judge = (disk: number) => (disk < 10 ? [warning(`${disk} % free.`, "Delete files.")] : []);
    const parts = [
      part("nodes", "", () => Promise.resolve(5), judge),
      part("others", "", () => Promise.resolve(50), judge),
    ];
    expect(await examine(parts)).toEqual([
      { area: "nodes", severity: "warning", found: "5 % free.", help: "Delete files." },
    ]);
  });

  test("reports facts that cannot be read", async () => {
    const [finding, ...others] = await examine([
      fails("queues", "403: Permission denied"),
      part(
        "jobs",
        "",
        () => Promise.resolve(1),
        () => [],
      ),
    ]);
    expect(others).toEqual([]);
    expect(finding).toEqual({
      area: "queues",
      severity: "unknown",
      found: "It could not be read: 403: Permission denied.",
      help: "Check queues.",
    });
  });

  test("reports one cause of several failures once", async () => {
    const findings = await examine([
      fails("nodes", "Nomad does not answer"),
      fails("jobs", "Nomad does not answer"),
      fails("queues", "503"),
    ]);
    expect(findings.map(({ area, found, help }) => [area, found, help])).toEqual([
      ["nodes", "It, and jobs, could not be read: Nomad does not answer.", "Check nodes."],
      ["queues", "It could not be read: 503.", "Check queues."],
    ]);
  });

  test("does not wait for a frozen server", async () => {
    const frozen = part(
      "nodes",
      "Check it.",
      () => new Promise<never>(() => {}),
      () => [],
    );
    expect((await examine([frozen], 20))[0]?.found).toBe("It could not be read: no answer within 0.02 s.");
  });
});

describe("findings", () => {
  test("are sorted by severity", () => {
    const of = (fault: object) => ({ area: "a", help: "", found: "", ...fault }) as never;
    const sorted = bySeverity([of(warning("", "")), of({ severity: "unknown" }), of(error("", ""))]);
    expect(sorted.map(({ severity }) => severity)).toEqual(["error", "unknown", "warning"]);
  });

  test("fill one line each", () => {
    const text = describeFinding({ ...error("No\n answer.", "Start it."), area: "nodes" });
    expect(text).toBe("error    nodes: No answer. Start it.");
  });

  test("quote servers in one bounded sentence", () => {
    expect(quoted("HTTP GET: 503\n  unavailable\n")).toBe("HTTP GET: 503 unavailable.");
    expect(quoted("Done.")).toBe("Done.");
    expect(quoted("x".repeat(300), 5)).toBe("xxxxx…");
  });

  test.each([
    [90_000, "90 s"],
    [150_000, "3 min"],
    [3 * 3_600_000, "3 h"],
    [5.5 * 86_400_000, "5 days"],
  ])("name %d ms", (ms, text) => expect(duration(ms)).toBe(text));
});
