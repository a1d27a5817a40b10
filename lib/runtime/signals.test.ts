import { describe, expect, test } from "bun:test";

/** Starts a process that runs `main` under `run` and logs "started". */
function start(main: string, options = "{}") {
  const source = `
    import { run } from "./lifecycle.ts";
    import { createLogger } from "./log.ts";
    await run("child", createLogger("child"), async (life) => { ${main} }, ${options});`;
  return Bun.spawn([process.execPath, "-e", source], {
    cwd: import.meta.dir,
    stdout: "pipe",
    stderr: "inherit",
    stdin: "ignore",
  });
}

async function readUntil(child: ReturnType<typeof start>, text: string): Promise<string> {
  let seen = "";
  const decoder = new TextDecoder();
  const reader = child.stdout.getReader();
  while (!seen.includes(text)) {
    const { value, done } = await reader.read();
    if (done) break;
    seen += decoder.decode(value);
  }
  reader.releaseLock();
  return seen;
}

describe("run", () => {
  // Nomad's default is SIGINT; systemd and people send SIGTERM.
  test.each(["SIGTERM", "SIGINT"] as const)("runs the cleanups and exits 0 on %s", async (signal) => {
    const child = start(`setInterval(() => {}, 1000); life.onStop("x", () => console.log("closed x"));`);
    await readUntil(child, '"msg":"started"');
    child.kill(signal);
    expect(await readUntil(child, '"msg":"stopped"')).toContain("closed x");
    expect(await child.exited).toBe(0);
  });

  test("exits at once on a second signal", async () => {
    const child = start(`setInterval(() => {}, 1000); life.onStop("hangs", () => new Promise(() => {}));`);
    await readUntil(child, '"msg":"started"');
    child.kill("SIGTERM");
    await readUntil(child, '"msg":"stopping"');
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
  });

  test("runs the cleanups and exits 1 when uncaught", async () => {
    const child = start(
      `life.onStop("x", () => console.log("closed x")); setTimeout(() => { throw new Error("boom"); }, 1);`,
    );
    const out = await readUntil(child, '"msg":"stopped"');
    expect(out).toContain("boom");
    expect(out).toContain("closed x");
    expect(await child.exited).toBe(1);
  });

  test("logs survivable errors and exits 1 on others", async () => {
    const child = start(
      `setInterval(() => {}, 1000);
     setTimeout(() => void Promise.reject(new Error("a stray promise")), 1);
     setTimeout(() => void Promise.reject(new Error("boom")), 50);`,
      `{ survives: (error) => error.message.includes("stray") }`,
    );
    const out = await readUntil(child, '"msg":"stopped"');
    expect(out).toContain("a stray promise");
    expect(out).toContain('"msg":"failed"');
    expect(await child.exited).toBe(1);
  });
});
