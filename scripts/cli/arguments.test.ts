import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../stack/program.ts";

const root = join(import.meta.dir, "../..");

async function run(script: string, args: string[], env: Record<string, string> = {}) {
  const command = [process.execPath, "run", script, ...args];
  const ended = await runProgram(command, { cwd: root, env: { ...process.env, ...env } });
  return { ...ended, first: ended.stderr.split("\n")[0] };
}

describe("wrong arguments", () => {
  const cases = [
    ["scripts/cli/operator/status.ts", "--jsn", "unknown option '--jsn'"],
    ["scripts/cli/operator/status.ts", "word", "too many arguments"],
    ["scripts/cli/operator/dead.ts", "--replay=1", "missing argument 'queue'"],
    ["scripts/cli/client/generate.ts", "--check", "unknown option '--check'"],
    ["scripts/cli/secrets/shards.ts", "--count=x", "N must be a whole number from 1 to 300"],
    ["scripts/stack/release/main.ts", "--too=x", "unknown option '--too"],
    ["scripts/stack/release/main.ts", "--to=/proc/none", "error: --to: "],
    ["scripts/stack/settings/main.ts", "--jsn", "unknown option '--jsn'"],
    ["scripts/cli/capacity/main.ts", "--sessions=x", "Give a whole number"],
    ["scripts/cli/capacity/main.ts", "--sessions=1", "required option '--messages-per-min <n>' not specified"],
    ["scripts/cli/scale/autoscale.ts", "--apply", "unknown option '--apply'"],
    ["scripts/cli/scale/api.ts", "--count=", "N must be a whole number from 1 to 1000"],
    ["scripts/cli/scale/calls.ts", "--json", "give N, MAX or both"],
    ["scripts/cli/scale/workers.ts", "--group=urgent", "GROUP must be one of"],
    ["scripts/cli/scale/plan.ts", "--drain", "FILE is missing"],
    ["scripts/cli/upgrade/main.ts", "latest", "Give an exact version such as"],
    ["scripts/cli/upgrade/main.ts", "--no-bench", "missing required argument 'version'"],
    ["scripts/lab/bench/api.ts", "--seconds=0", "Give a whole number of at least 1"],
    ["scripts/lab/bench/calls.ts", "--streams=10,x", "Give a whole number"],
    ["scripts/lab/bench/queues.ts", "--only=all", "Allowed choices are jobs, throughput, isolation"],
    ["scripts/lab/chaos/shard.ts", "--only=nothing", "no step matches nothing: "],
    ["scripts/lab/fuzz/api.ts", "--request=5", "unknown option '--request"],
    ["scripts/testing/main.ts", "everything", "Allowed choices are static, unit, int, e2e, all"],
  ] as const;

  test.each(cases)("%s %s exits 2 with the usage", async (script, argument, fault) => {
    const { code, first, stderr } = await run(script, [argument]);
    expect({ code, first }).toEqual({ code: 2, first: expect.stringContaining(fault) });
    expect(stderr).toContain("Usage: ");
  });
});

test.each([
  ["scripts/cli/scale/api.ts", "Usage: ./scripts/task scale:api N=COUNT [-- OPTIONS]"],
  ["scripts/cli/operator/dead.ts", "Usage: ./scripts/task dead -- [QUEUE] [OPTIONS]"],
  ["scripts/cli/client/generate.ts", "Usage: ./scripts/task client -- [OPTIONS]"],
  ["scripts/cli/secrets/shards.ts", "Usage: ./scripts/task secrets:shards N=COUNT [-- OPTIONS]"],
  ["scripts/cli/upgrade/main.ts", "Usage: ./scripts/task wa:upgrade -- VERSION [OPTIONS]"],
])("%s --help prints the options", async (script, usage) => {
  const { code, stdout } = await run(script, ["--help"]);
  expect(code).toBe(0);
  expect(stdout).toContain(usage);
  expect(stdout).toContain("--dry-run");
});

describe("a stack that does not answer", () => {
  test.each(["scripts/cli/operator/dead.ts", "scripts/cli/operator/connections.ts"])(
    "makes %s print what to do",
    async (script) => {
      const folder = await mkdtemp(join(tmpdir(), "prosaas-operator-"));
      try {
        const [key, ca] = [join(folder, "key"), join(folder, "ca")];
        await Promise.all([Bun.write(key, "key"), Bun.write(ca, "")]);
        // No process listens on port 1.
        const urls = {
          nomad_addr: "http://127.0.0.1:1",
          base_url: "http://127.0.0.1:1",
          consul_http_addr: "127.0.0.1:1",
        };
        await Bun.write(
          join(folder, "stack.json"),
          JSON.stringify({ stack: "none", ...urls, ca_file: ca, admin_key_file: key }),
        );
        const { code, stderr } = await run(script, [], { PROSAAS_STATE_DIR: folder });
        expect(code).toBe(1);
        expect(stderr.trim()).toBe(
          "http://127.0.0.1:1 does not answer (nothing listens there). Is the stack up? ./scripts/up brings it back.",
        );
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});
