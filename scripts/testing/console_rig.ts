import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConsul } from "../../lib/consul/client.ts";
import { createFeed } from "../../lib/events/index.ts";
import type { Feed } from "../../lib/events/index.ts";
import { appendEvents } from "../../lib/events/live_stream.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { startConsulServer } from "../../lib/testing/consul_server.ts";
import { freePort } from "../../lib/testing/free_port.ts";
import { testRedisUrl } from "../../lib/testing/servers.ts";
import { createHarness } from "../../services/api/testing/harness.ts";
import { buildConsole } from "../../services/console/build.ts";
import { startEdge } from "../lab/rig/edge.ts";
import { load, startBrowser } from "./browser.ts";

/**
 * The console in a real browser: bundled, served by nginx with its real configuration, over the whole API on a real
 * database. Has two businesses; the first, `business`, shows a QR code.
 */
export async function startConsoleRig() {
  // A failed set-up ends what it started.
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "prosaas-console-"));
  started.defer(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  const httpsPort = await freePort();
  const origin = `https://127.0.0.1:${httpsPort}`;
  const consul = await startConsulServer();
  started.defer(() => consul.stop());
  await buildConsole(join(folder, "www"));
  const redis = createRedis(testRedisUrl(), "command");
  started.defer(() => redis.disconnect());
  const newFeed = () => createFeed({ redis, blocking: createRedis(testRedisUrl(), "queue") });
  let feed = newFeed();
  started.defer(() => feed.close());
  const replaceable: Feed = { subscribe: (...args) => feed.subscribe(...args), close: () => feed.close() };
  const api = await createHarness({ validate: false, feed: replaceable, publicUrl: origin });
  started.defer(() => api.close());

  /** Requests that reached the API, by path. */
  const requests = new Map<string, number>();
  let refusesStreams = false;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      requests.set(pathname, (requests.get(pathname) ?? 0) + 1);
      if (refusesStreams && pathname.endsWith("/events"))
        return new Response(null, { status: 503, headers: { "retry-after": "1" } });
      return api.app.fetch(request);
    },
  });
  started.defer(() => server.stop(true));
  const register = { name: "prosaas-api", address: "127.0.0.1", port: server.port! };
  await createConsul({ addr: consul.addr }).api.agent.service.register(register);
  const answers = async () => (await fetch(`${origin}/v1/openapi.json`, { tls: { rejectUnauthorized: false } })).ok;
  const edge = await startEdge(join(folder, "edge"), consul.addr, answers, {
    consoleRoot: join(folder, "www"),
    httpsPort,
  });
  started.defer(() => edge.stop());

  const business: string = (await api.request("POST", "/v1/businesses", { body: { name: "Padaria Aurora" } })).body.id;
  await api.request("POST", "/v1/businesses", { body: { name: "Another" } });
  await api.request("POST", `/v1/businesses/${business}/whatsapp/connect`, { body: { method: "qr" } });

  const browser = await startBrowser({ userDataDir: join(folder, "browser") });
  started.defer(() => browser.close());
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  /** Errors of the page and of its console, with the address of a request that failed. */
  const faults: string[] = [];
  page.setDefaultTimeout(60_000);
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`${message.text()} ${message.location().url ?? ""}`);
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  await load(page, origin);

  const running = started.move();
  return {
    api,
    page,
    business,
    requests,
    faults,
    /** Waits until the page shows a text. */
    says: (text: string) =>
      page.waitForFunction((wanted: string) => document.body.innerText.includes(wanted), {}, text),
    visit: async (hash: string) => {
      await page.evaluate((to: string) => void (location.hash = to), hash);
    },
    send: (text: string) =>
      api.request("POST", `/v1/businesses/${business}/messages`, { body: { to: "5511900000002", type: "text", text } }),
    publish: (event: string) =>
      appendEvents(redis, [{ business_id: business, event, at: new Date().toISOString(), data: {} }]),
    refuseStreams: (refuses: boolean) => {
      refusesStreams = refuses;
    },
    endStreams: async () => {
      await feed.close();
      feed = newFeed();
    },
    stop: () => running.disposeAsync(),
  };
}

export type ConsoleRig = Awaited<ReturnType<typeof startConsoleRig>>;
