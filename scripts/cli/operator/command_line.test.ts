import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "../../..");

async function run(script: string, args: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, "run", script, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stderr: "pipe",
  });
  const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  return { code, first: stderr.split("\n")[0], stderr };
}

test("wrong arguments are named before the usage, and nothing is asked of the stack", async () => {
  const cases = [
    ["scripts/cli/operator/status.ts", "--jsn", "Unknown option '--jsn'"],
    ["scripts/cli/operator/dead.ts", "--replay=1", "The QUEUE is missing"],
    ["scripts/cli/capacity/main.ts", "--sessions=x", "--sessions is a whole number"],
    ["scripts/cli/scale/autoscale.ts", "--rounds=x", "--rounds must be a whole number"],
    ["scripts/lab/bench/api.ts", "--seconds=0", "--seconds is a whole number above 0"],
    ["scripts/lab/bench/queues.ts", "--only=all", "--only is one of jobs, throughput, isolation"],
    ["scripts/lab/chaos/shard.ts", "--only=nothing", "--only nothing fits no name: "],
    ["scripts/lab/fuzz/api.ts", "--request=5", "Unknown option '--request'"],
  ] as const;
  for (const [script, arg, fault] of cases) {
    const { code, first, stderr } = await run(script, [arg]);
    expect({ script, code, first }).toEqual({ script, code: 2, first: expect.stringContaining(fault) });
    expect(stderr).toContain("Usage: ");
  }
});

test("a stack that does not answer is told in a sentence that says what to do", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-operator-"));
  try {
    const [key, ca] = [join(folder, "key"), join(folder, "ca")];
    await Promise.all([Bun.write(key, "key"), Bun.write(ca, "")]);
    // Nobody listens on port 1.
    const urls = { nomad_addr: "http://127.0.0.1:1", base_url: "http://127.0.0.1:1", consul_http_addr: "127.0.0.1:1" };
    await Bun.write(
      join(folder, "stack.json"),
      JSON.stringify({ stack: "none", ...urls, ca_file: ca, admin_key_file: key }),
    );
    for (const script of ["scripts/cli/operator/dead.ts", "scripts/cli/operator/connections.ts"]) {
      const { code, stderr } = await run(script, [], { PROSAAS_STATE_DIR: folder });
      expect({ script, code }).toEqual({ script, code: 1 });
      expect(stderr.trim()).toBe(
        "http://127.0.0.1:1 does not answer (nothing listens there). Is the stack up? ./scripts/up brings it back.",
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
