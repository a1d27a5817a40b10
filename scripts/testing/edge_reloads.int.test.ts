import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../lib/testing/until.ts";
import { open, send, startEdgeUnderTest } from "./edge_under_test.ts";
import type { EdgeUnderTest } from "./edge_under_test.ts";

/* consul/nginx.sh: old workers of nginx while upstreams change and streams stay open. */

// Thirty reloads, each of which starts two workers.
setDefaultTimeout(300_000);

let edge: EdgeUnderTest;
let sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await edge.stop();
});

type Worker = { pid: number; isOld: boolean };

/** The workers of the edge's nginx. */
async function workers(): Promise<Worker[]> {
  const master = await edge.master();
  const pids = (await readFile(`/proc/${master}/task/${master}/children`, "utf8")).trim().split(" ");
  const found = await Promise.all(
    pids.map(async (pid): Promise<Worker | null> => {
      try {
        const title = await readFile(`/proc/${pid}/cmdline`, "utf8");
        return { pid: Number(pid), isOld: title.includes("shutting down") };
      } catch {
        // The process has ended.
        return null;
      }
    }),
  );
  return found.filter((worker) => worker !== null);
}

/** The memory of a worker with its share of what it has in common with others, KB. */
async function memoryKb({ pid }: Worker): Promise<number> {
  const memory = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
  return Number(/^Pss: +(\d+)/m.exec(memory)?.[1] ?? 0);
}

/** Signals nginx.sh that the configuration was rendered and waits for new workers. */
async function reload(): Promise<void> {
  const status = await readFile(`/proc/${await edge.master()}/status`, "utf8");
  const script = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
  const before = new Set((await workers()).filter(({ isOld }) => !isOld).map(({ pid }) => pid));
  process.kill(script, "SIGHUP");
  await until(
    async () => {
      const now = (await workers()).filter(({ isOld }) => !isOld);
      return now.length === 2 && now.every(({ pid }) => !before.has(pid));
    },
    { what: "new workers", everyMs: 5 },
  );
}

type Stream = { isOpen(): boolean; echoes(): Promise<boolean> };

async function stream(head: string): Promise<Stream> {
  const socket = await open(edge.httpsPort);
  sockets.push(socket);
  let text = "";
  let closed = false;
  socket.on("data", (data) => (text += data.toString("latin1")));
  socket.on("close", () => (closed = true));
  socket.write(head);
  await until(() => /^HTTP\/1\.1 (200|101)/.test(text), { what: "a stream to open" });
  let sent = 0;
  return {
    isOpen: () => !closed,
    /** A masked text frame, and the same back. */
    echoes: async () => {
      const message = `frame${sent++}`;
      socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | message.length, 0, 0, 0, 0]), Buffer.from(message)]));
      return until(() => closed || text.includes(message), { what: "an echo" }).then(() => text.includes(message));
    },
  };
}

const events = () => stream("GET /v1/businesses/b/events HTTP/1.1\r\nHost: edge\r\n\r\n");
const media = () =>
  stream(
    "GET /media/CA1 HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );

const start = async (env: Record<string, string> = {}) => {
  edge = await startEdgeUnderTest(
    (request, server) => {
      if (request.headers.get("upgrade") === "websocket")
        return server.upgrade(request, { data: {} }) ? undefined : new Response("no", { status: 400 });
      if (!request.url.endsWith("/events")) return new Response("inside");
      return new Response(new ReadableStream({ start: (controller) => controller.enqueue(": open\n\n") }));
    },
    { env },
  );
};

describe("reloads", () => {
  test("leave few old workers and keep calls", async () => {
    // A request that ends with its worker must not stay counted: the test opens 90 streams.
    await start({ EDGE_CONCURRENT_REQUESTS: "60" });
    const call = await media();
    const watching: Stream[] = [];
    for (let n = 0; n < 30; n++) {
      watching.push(...(await Promise.all([events(), events(), events()])));
      await reload();
    }
    // 8 old workers without calls, 1 with a call, 2 retired by the last reload, 2 current ones.
    const left = await until(
      async () => {
        const all = await workers();
        return all.length <= 13 ? all : undefined;
      },
      { what: "old workers to end" },
    );
    const memory = await Promise.all(left.map(memoryKb));
    expect(memory.reduce((sum, kb) => sum + kb, 0)).toBeLessThan(96 * 1024);
    expect(await call.echoes()).toBeTrue();
    expect(watching.slice(-9).every((each) => each.isOpen())).toBeTrue();
    // Streams of the first round may share their worker with the call.
    const oldest = watching.slice(3, 12);
    await until(() => oldest.every((each) => !each.isOpen()), { what: "the oldest streams to end" });
  });

  test("slow down while old workers carry calls", async () => {
    await start({ OLD_WORKERS: "1", OLD_CALL_WORKERS: "3" });
    const calls: Stream[] = [];
    for (let n = 0; n < 6; n++) {
      calls.push(await media());
      await reload();
    }
    const left = async () => (await workers()).filter(({ isOld }) => isOld).length;
    await until(async () => (await left()) <= 5, { what: "old workers to end" });
    expect(await calls.at(-1)!.echoes()).toBeTrue();
    await until(() => !calls[0]!.isOpen(), { what: "the oldest call's stream to end" });
  });

  test("serve a changed upstream within seconds", async () => {
    await start();
    const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("other") });
    await edge.register("prosaas-api", other.port!);
    await edge.deregister("prosaas-api", edge.api.port!);
    const answers = async () => (await send(edge.httpsPort, "GET /v1/x HTTP/1.1\r\nHost: edge")).body.includes("other");
    await until(answers, { what: "the new upstream", deadlineMs: 15_000 });
    await other.stop(true);
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
