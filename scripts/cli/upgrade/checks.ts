import { z } from "zod";
import { jsonOrUndefined } from "../../../lib/core/json.ts";
import { failedMark } from "../../testing/failed_tests.ts";

/** A check of the copy: a command, and what its output has to show beyond exit code 0. */
export type Check = {
  name: string;
  command: readonly string[];
  /** One line about the output, and whether it passes. */
  judge(stdout: string): { passed: boolean; detail: string };
};

/** Failed tests that are named in a row of the report. */
const namedFailures = 20;

const counted = (stdout: string) => {
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  const failed = stdout
    .split("\n")
    .flatMap((each) => (each.startsWith(failedMark) ? [each.slice(failedMark.length)] : []));
  return {
    passed: /^[1-9]\d* passed, 0 failed$/.test(line),
    detail: [line.slice(0, 120), ...failed.slice(0, namedFailures)].join("; "),
  };
};
const silent = () => ({ passed: true, detail: "" });

const tests = (name: string, part: "unit" | "int", files: readonly string[]): Check => ({
  name,
  command: ["scripts/test", part, ...files],
  judge: counted,
});

/** Limits of `bench:shard` for a shard with 200 sessions, beside bare Baileys. Lost messages have no allowance. */
const benchLimits = { ratioToRaw: 0.9, kbPerSession: 1_600 };

/** Judges the last line of `bench:shard -- --json`. A figure that is absent fails. */
export function judgeBench(stdout: string): { passed: boolean; detail: string } {
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  const figures = z.partialRecord(z.string(), z.unknown()).safeParse(jsonOrUndefined(line)).data;
  if (figures === undefined) return { passed: false, detail: "no figures" };
  const checks = [
    { name: "ratio_to_raw", passes: (value: number) => value >= benchLimits.ratioToRaw },
    { name: "kb_per_session", passes: (value: number) => value <= benchLimits.kbPerSession },
    ...["lost", "duplicates", "disordered_chats"].map((name) => ({ name, passes: (value: number) => value === 0 })),
  ].map(({ name, passes }) => {
    const value = figures[name];
    return typeof value === "number"
      ? { passed: passes(value), text: `${name} ${value}` }
      : { passed: false, text: `${name} absent` };
  });
  return { passed: checks.every(({ passed }) => passed), detail: checks.map(({ text }) => text).join(", ") };
}

const parts = ["lib/patches", "services/whatsapp"];
const vectors = ["lib/patches/vectors.test.ts", "lib/patches/protocol_vectors.test.ts"];
const ledger = "services/whatsapp/session/protocol.test.ts";

/** The checks of a version in order. `integration`: the paths of the integration files. */
export function checksOf({ integration, bench }: { integration: readonly string[]; bench: boolean }): Check[] {
  const measured: Check = {
    name: "bench:shard",
    command: ["bun", "run", "scripts/lab/bench/shard.ts", "--sessions", "200", "--json"],
    judge: judgeBench,
  };
  return [
    { name: "types", command: ["bun", "x", "tsc", "--noEmit"], judge: silent },
    tests("public vectors", "unit", vectors),
    tests("ledger of stanzas and events", "unit", [ledger]),
    tests("unit tests", "unit", parts),
    tests("integration tests", "int", integration),
    ...(bench ? [measured] : []),
  ];
}

/** The integration files of the shard in a checkout. */
export async function integrationFiles(folder: string): Promise<string[]> {
  const found = await Promise.all(
    parts.map((part) => Array.fromAsync(new Bun.Glob(`${part}/**/*.int.test.ts`).scan({ cwd: folder }))),
  );
  return found.flat().toSorted();
}
