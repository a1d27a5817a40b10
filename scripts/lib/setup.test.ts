import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../stack/program.ts";

/*
 * The refusals of scripts/up, scripts/down and their functions. Nothing is started. Tests mount in a namespace of their
 * own (unshare), so that the machine does not see it.
 */
const root = join(import.meta.dir, "../..");
const asRoot = process.getuid?.() === 0;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-setup-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function run(command: string[], env: Record<string, string> = {}) {
  const {
    PROSAAS_STACK: _stack,
    PROSAAS_PORT_OFFSET: _offset,
    NOMAD_ADDR: _address,
    NOMAD_TOKEN: _token,
    ...rest
  } = process.env;
  const { code, stdout, stderr } = await runProgram(command, { cwd: root, env: { ...rest, ...env } });
  return { code, stdout: stdout.trim(), stderr: stderr.trim() };
}

/** A server on a port that an offset can lead to, which those of freePort() are not. */
function listenAbove(base: number): { port: number; server: ReturnType<typeof Bun.serve> } {
  for (let offset = 13_000; ; offset++) {
    try {
      const port = base + offset;
      return { port, server: Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response() }) };
    } catch (error) {
      if (offset === 14_000) throw error;
    }
  }
}

/** Runs shell code with the functions of scripts/lib, in a mount namespace of its own, for the stack in `folder`. */
const shell = (script: string, env: Record<string, string> = {}) => {
  const parts = ["say", "stack", "access", "machine", "leftovers"]
    .map((part) => `source scripts/lib/${part}.sh`)
    .join("\n");
  const text = `set -euo pipefail\nROOT=$PWD\n${parts}\nstack_select other\n${script}`;
  return run(["unshare", "--mount", "--propagation", "private", "bash", "-c", text], {
    PROSAAS_STATE_DIR: join(folder, "state"),
    PROSAAS_PORT_OFFSET: "14500",
    ...env,
  });
};

describe.skipIf(!asRoot)("scripts/up and scripts/down refuse", () => {
  test("another user first of all, before the ports", async () => {
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    for (const script of ["up", "down"]) {
      const { code, stderr } = await run([...nobody, `scripts/${script}`, "--stack", "other"], { HOME: folder });
      expect({ script, code }).toEqual({ script, code: 1 });
      expect(stderr).toContain("run it as root");
    }
  });

  test("a taken port, and leave no folder", async () => {
    const { port, server } = listenAbove(8_080);
    try {
      const state = join(folder, "deep/state");
      // The edge's HTTP port is 8080 above the offset.
      const { code, stderr } = await run(["scripts/up", "--stack", "other"], {
        PROSAAS_STATE_DIR: state,
        PROSAAS_PORT_OFFSET: String(port - 8080),
      });
      expect(code).toBe(1);
      expect(stderr).toContain(`port ${port} (http) is taken by bun`);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      await server.stop(true);
    }
  });

  test("a state folder that every task could read", async () => {
    const state = join(root, "state-of-a-test");
    const { code, stderr } = await run(["scripts/up", "--stack", "other"], {
      PROSAAS_STATE_DIR: state,
      PROSAAS_PORT_OFFSET: "14500",
    });
    expect(code).toBe(1);
    expect(stderr).toContain("lies in the checkout");
    expect(existsSync(state)).toBeFalse();
  });
});

test("up and down refuse a cluster of several nodes", async () => {
  await Bun.write(join(folder, "state/cluster.json"), "{}");
  for (const script of ["up", "down"]) {
    const { code, stderr } = await run([`scripts/${script}`, "--stack", "lab"], {
      PROSAAS_STATE_DIR: join(folder, "state"),
    });
    expect({ script, code }).toEqual({ script, code: 1 });
    if (asRoot) expect(stderr).toContain("'lab' is a cluster of several nodes");
  }
});

describe.skipIf(!asRoot)("a disk that cannot be written is named", () => {
  test("when it is read-only", async () => {
    const { code, stderr } = await shell(`mount -t tmpfs -o ro none ${folder}\nstate_folder_ensure`);
    expect(code).toBe(1);
    expect(stderr).toContain(`${folder}/state cannot be created: Read-only file system`);
  });

  test("when it is full", async () => {
    const { code, stderr } = await shell(`mount -t tmpfs -o size=64k none ${folder}\nstate_folder_ensure`);
    expect(code).toBe(1);
    expect(stderr).toContain(`${folder}/state/probe cannot be written: No space left on device`);
  });

  test("when it fills up later, without harming the file", async () => {
    const { code, stdout, stderr } = await shell(`
      mount -t tmpfs -o size=2m none ${folder}
      state_folder_ensure
      state_write port-offset <<<1
      head -c 4194304 /dev/zero >${folder}/filler 2>/dev/null || true
      (state_write port-offset <<<2) || true
      cat ${folder}/state/port-offset; ls ${folder}/state`);
    expect(stderr).toContain(`${folder}/state/port-offset cannot be written: No space left on device`);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "1\nport-offset" });
  });
});

describe.skipIf(!asRoot)("mounts below the state folder", () => {
  const allocation = "nomad/client/alloc/01234567-89ab-cdef-0123-456789abcdef/task";
  const mounted = (more = "") => `
    mkdir -p "$STATE_DIR/${allocation}/secrets" "$STATE_DIR/nomad/client/host_volumes/a b"
    mount -t tmpfs none "$STATE_DIR/${allocation}/secrets"
    mount -t tmpfs none "$STATE_DIR/nomad/client/host_volumes/a b"
    touch "$STATE_DIR/nomad/client/host_volumes/a b/kept"
    ${more}`;

  test("of allocations are unmounted, and no others", async () => {
    const { code, stdout } = await shell(mounted(`leftovers_unmount; mounts_below "$STATE_DIR"`));
    expect({ code, stdout }).toEqual({ code: 0, stdout: join(folder, "state/nomad/client/host_volumes/a b") });
  });

  test("of others stop a purge before anything is deleted", async () => {
    const down = "scripts/down --stack other --purge --yes 2>&1 || true";
    const { stdout } = await shell(mounted(`${down}; ls "$STATE_DIR/nomad/client/host_volumes/a b"`));
    expect(stdout).toContain(`in the way of --purge: ${join(folder, "state/nomad/client/host_volumes/a b")}.`);
    expect(stdout.split("\n").at(-1)).toBe("kept");
  });
});
