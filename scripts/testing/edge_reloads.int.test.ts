import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../lib/testing/until.ts";
import { openEvents, openMedia, serveStreams, startInstance } from "./edge_streams.ts";
import type { EdgeStream } from "./edge_streams.ts";
import { send, startEdgeUnderTest } from "./edge_under_test.ts";
import type { EdgeUnderTest } from "./edge_under_test.ts";
import { memoryOf, workersOf } from "./edge_workers.ts";

/* consul/nginx.sh: old workers of nginx while upstreams change and streams stay open. */

// Delayed reloads.
setDefaultTimeout(300_000);

let edge: EdgeUnderTest;
let streams: EdgeStream[] = [];
afterEach(async () => {
  for (const stream of streams) stream.close();
  streams = [];
  await edge.stop();
});

const workers = async () => workersOf(await edge.master());
const kept = (stream: EdgeStream) => (streams.push(stream), stream);
const events = async () => kept(await openEvents(edge.httpsPort));
const media = async () => kept(await openMedia(edge.httpsPort));
const start = async (env: Record<string, string> = {}) => {
  edge = await startEdgeUnderTest(serveStreams("inside"), { env });
};

/** Signals nginx.sh that the configuration was rendered. */
async function signal(): Promise<void> {
  const status = await readFile(`/proc/${await edge.master()}/status`, "utf8");
  process.kill(Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]), "SIGHUP");
}

/** {@link signal}, and waits for new workers. */
async function reload(): Promise<void> {
  const before = new Set((await workers()).filter(({ isOld }) => !isOld).map(({ pid }) => pid));
  await signal();
  await until(
    async () => {
      const now = (await workers()).filter(({ isOld }) => !isOld);
      return now.length === 2 && now.every(({ pid }) => !before.has(pid));
    },
    { what: "new workers", everyMs: 5 },
  );
}

/** Replaces the instance of the API at the port `former`, and waits until the edge serves the new one. */
async function replaceApi(former: number, name: string): Promise<number> {
  const next = startInstance(name);
  await edge.register("prosaas-api", next.port!);
  await edge.deregister("prosaas-api", former);
  const served = async () => (await send(edge.httpsPort, "GET /v1/x HTTP/1.1\r\nHost: edge")).body === name;
  await until(served, { what: "the new upstream" });
  return next.port!;
}

describe("reloads", () => {
  test("of a storm of changes end no stream", async () => {
    // A request that ends with its worker must not stay counted: each round has streams of its own.
    await start({ EDGE_CONCURRENT_REQUESTS: "60" });
    const [call, watching] = [await media(), await Promise.all(Array.from({ length: 10 }, events))];
    const before = await memoryOf(await edge.master());
    let former = edge.api.port!;
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 15; n++) {
        await edge.register("prosaas-api", 1);
        await edge.deregister("prosaas-api", 1);
      }
      former = await replaceApi(former, `round ${round}`);
      watching.push(...(await Promise.all([events(), events()])));
    }
    expect((await memoryOf(await edge.master())) - before).toBeLessThan(64);
    expect(watching.filter((each) => !each.isOpen())).toEqual([]);
    expect(await call.echoes()).toBeTrue();
  });

  test("end the oldest streams beyond the bound", async () => {
    await start({ OLD_WORKERS: "2" });
    const call = await media();
    const watching: EdgeStream[][] = [];
    for (let n = 0; n < 4; n++) {
      watching.push(await Promise.all([events(), events(), events(), events()]));
      await reload();
    }
    // Those of the first round may share their worker with the call.
    await until(() => watching[1]!.every((each) => !each.isOpen()), { what: "the oldest streams to end" });
    expect(watching.at(-1)!.every((each) => each.isOpen())).toBeTrue();
    expect(await call.echoes()).toBeTrue();
    await until(async () => (await workers()).length <= 7, { what: "old workers to end" });
  });

  test("slow down while old workers carry calls", async () => {
    await start({ OLD_WORKERS: "1", OLD_CALL_WORKERS: "3" });
    const calls: EdgeStream[] = [];
    for (let n = 0; n < 5; n++) {
      calls.push(await media());
      await reload();
    }
    const left = async () => (await workers()).filter(({ isOld }) => isOld).length;
    await until(async () => (await left()) <= 5, { what: "old workers to end" });
    expect(await calls.at(-1)!.echoes()).toBeTrue();
    await until(() => !calls[0]!.isOpen(), { what: "the oldest call's stream to end" });
  });
});

test("a reload while nginx starts ends nothing", async () => {
  const bin = await mkdtemp(join(tmpdir(), "prosaas-bin-"));
  // Signals nginx.sh and leaves a second in which HUP would end this process.
  const slow = `#!/bin/sh
case " $* " in *" -t "*) ;; *) kill -HUP "$PPID" && sleep 1 ;; esac
exec ${Bun.which("nginx", { PATH: "/usr/sbin:/usr/bin" })} "$@"
`;
  await writeFile(join(bin, "nginx"), slow, { mode: 0o755 });
  await start({ PATH: `${bin}:${process.env["PATH"]}` });
  expect((await send(edge.httpsPort, "GET /v1/x HTTP/1.1\r\nHost: edge")).status).toBe(200);
  await reload();
  await rm(bin, { recursive: true });
});
