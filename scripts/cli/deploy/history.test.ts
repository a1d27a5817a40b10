import { describe, expect, test } from "bun:test";
import type { Nomad } from "../../stack/nomad.ts";
import { versionBefore } from "./history.ts";
import type { Version } from "./history.ts";

/** A version of a job without templates; a plan differs where the release does. */
const version = (number: number, release: string, over: Partial<Version> = {}): Version => ({
  ID: "api",
  Type: "service",
  Version: number,
  Stable: true,
  TaskGroups: [
    {
      Name: "api",
      Count: number,
      Tasks: [{ Name: "api", Artifacts: [{ GetterSource: `https://r/prosaas-api-${release}.tar.gz` }] }],
    },
  ],
  ...over,
});

const sourceOf = ({ TaskGroups }: Version) => TaskGroups[0]!.Tasks![0]!.Artifacts![0]!.GetterSource;

/** A Nomad that runs the first of these versions, newest first. */
const nomadWith = (versions: readonly Version[]) =>
  (async (_method: string, path: string, body?: { Job: Version }) => {
    if (path.endsWith("/versions")) return { Versions: versions };
    if (path.endsWith("/plan"))
      return { Diff: { Type: sourceOf(body!.Job) === sourceOf(versions[0]!) ? "None" : "Edited", Name: "api" } };
    return versions[0];
  }) as Nomad;

describe("the version to go back to", () => {
  test("is the newest healthy one with another release", async () => {
    const versions = [version(6, "1c"), version(5, "1c"), version(4, "1b", { Stable: false }), version(3, "0a")];
    expect((await versionBefore(nomadWith(versions), "api")).Version).toBe(3);
  });

  test("is the healthy one that is named", async () => {
    const nomad = nomadWith([
      version(6, "1c"),
      version(5, "1b"),
      version(4, "0a"),
      version(3, "00", { Stable: false }),
    ]);
    expect((await versionBefore(nomad, "api", 4)).Version).toBe(4);
    await expect(versionBefore(nomad, "api", 3)).rejects.toThrow(
      "api cannot go back to version 3. These were healthy: version 5 (release 1b), version 4 (release 0a).",
    );
  });

  test("is missing after a count alone has changed", async () => {
    const waiting = versionBefore(nomadWith([version(2, "0a"), version(1, "0a")]), "api");
    await expect(waiting).rejects.toThrow("api has no other version to go back to");
  });

  test("has the groups of the workers' profile", async () => {
    const groups = (release: string, number: number, names: string[]) =>
      version(number, release, {
        ID: "workers",
        TaskGroups: names.map((Name) => ({ ...version(number, release).TaskGroups[0]!, Name })),
      });
    const versions = [groups("1c", 3, ["all"]), groups("1b", 2, ["high", "default", "low"]), groups("0a", 1, ["all"])];
    expect((await versionBefore(nomadWith(versions), "workers")).Version).toBe(1);
  });
});
