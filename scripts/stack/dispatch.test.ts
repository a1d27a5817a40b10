import { describe, expect, test } from "bun:test";
import { dispatchOnce } from "./dispatch.ts";
import type { Nomad } from "./nomad.ts";

const specOf = (release: string) => ({
  ID: "migrate",
  TaskGroups: [{ Name: "schema", Count: 1, Tasks: [{ Name: "schema", Artifacts: [{ GetterSource: release }] }] }],
});

/** A Nomad whose job has release "2"; its runs, oldest first, have these releases and states. */
function nomadWith(runs: readonly { release: string; status: string }[]) {
  const dispatched: string[] = [];
  const nomad = (async (method: string, path: string) => {
    const run = runs[Number(/dispatch-(\d)/.exec(decodeURIComponent(path))?.[1])];
    if (method === "POST") return { DispatchedJobID: `migrate/dispatch-${dispatched.push(path)}` };
    if (path.startsWith("/v1/jobs?"))
      return runs.map((_, index) => ({ ID: `migrate/dispatch-${index}`, ParentID: "migrate", JobModifyIndex: index }));
    if (path.endsWith("/allocations")) return run === undefined ? [] : [{ ClientStatus: run.status }];
    return specOf(run?.release ?? "2");
  }) as Nomad;
  return { nomad, dispatched };
}

describe("dispatchOnce", () => {
  test.each([
    ["there was no run", []],
    ["the last run was of another release", [{ release: "1", status: "complete" }]],
    ["the last run failed", [{ release: "2", status: "failed" }]],
  ])("dispatches if %s", async (_, runs) => {
    const { nomad, dispatched } = nomadWith(runs);
    expect(await dispatchOnce(nomad, "migrate")).toBe("migrate/dispatch-1");
    expect(dispatched).toEqual(["/v1/job/migrate/dispatch"]);
  });

  test("has nothing to do after its release has run", async () => {
    const { nomad, dispatched } = nomadWith([
      { release: "2", status: "failed" },
      { release: "2", status: "complete" },
    ]);
    expect(await dispatchOnce(nomad, "migrate")).toBeNull();
    expect(dispatched).toEqual([]);
  });

  test("returns a run that goes on", async () => {
    const { nomad, dispatched } = nomadWith([{ release: "2", status: "running" }]);
    expect(await dispatchOnce(nomad, "migrate")).toBe("migrate/dispatch-0");
    expect(dispatched).toEqual([]);
  });
});
