import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { launch } from "puppeteer-core";
import type { Browser, Page } from "puppeteer-core";
import { createConsul } from "../../lib/consul/client.ts";
import { createFeed, publishEvents } from "../../lib/events/index.ts";
import type { Feed } from "../../lib/events/index.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { startConsulServer } from "../../lib/testing/consul_server.ts";
import type { ConsulServer } from "../../lib/testing/consul_server.ts";
import { freePort } from "../../lib/testing/free_port.ts";
import { testRedisUrl } from "../../lib/testing/servers.ts";
import { sessionOf } from "../../services/api/testing/fake_shards.ts";
import { createHarness } from "../../services/api/testing/harness.ts";
import type { Harness } from "../../services/api/testing/harness.ts";
import { buildConsole } from "../../services/console/build.ts";
import { startEdge } from "../bench/edge.ts";
import type { Edge } from "../bench/edge.ts";

/*
 * The console as support staff meets it: bundled, served by nginx with its real configuration, in a real browser, over
 * the whole API on a real database. The tests run in the order they are written, as one person's session.
 */
let folder: string;
let consul: ConsulServer;
let redis: Redis;
let feed: Feed;
let api: Harness;
let server: ReturnType<typeof Bun.serve>;
let edge: Edge;
let browser: Browser;
let page: Page;
let business: string;
const faults: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-console-"));
  await chmod(folder, 0o755);
  const httpsPort = await freePort();
  const origin = `https://127.0.0.1:${httpsPort}`;
  [consul] = await Promise.all([startConsulServer(), buildConsole(join(folder, "www"))]);
  redis = createRedis(testRedisUrl(), "command");
  feed = createFeed({ redis, blocking: createRedis(testRedisUrl(), "queue") });
  api = await createHarness({ validate: false, feed, publicUrl: origin });
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 60, fetch: (request) => api.app.fetch(request) });
  const register = { name: "prosaas-api", address: "127.0.0.1", port: server.port! };
  await createConsul({ addr: consul.addr }).api.agent.service.register(register);
  const answers = async () => (await fetch(`${origin}/v1/openapi.json`, { tls: { rejectUnauthorized: false } })).ok;
  edge = await startEdge(join(folder, "edge"), consul.addr, answers, { consoleRoot: join(folder, "www"), httpsPort });

  business = (await api.request("POST", "/v1/businesses", { body: { name: "Padaria Aurora" } })).body.id;
  await api.request("POST", "/v1/businesses", { body: { name: "Another" } });
  await api.request("POST", `/v1/businesses/${business}/whatsapp/connect`, { body: { method: "qr" } });

  browser = await launch({
    executablePath: "/usr/bin/chromium",
    // Of its own accord it would ask for names of its maker; here it reaches this machine and nothing else.
    args: [
      "--no-sandbox",
      "--ignore-certificate-errors",
      "--disable-dev-shm-usage",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
    userDataDir: join(folder, "browser"),
  });
  page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(origin);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await edge?.stop();
  await feed?.close();
  await server?.stop(true);
  await api?.close();
  await consul?.stop();
  redis?.disconnect();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

/** Waits until the page says so. */
const says = (text: string) =>
  page.waitForFunction((wanted: string) => document.body.innerText.includes(wanted), { timeout: 10_000 }, text);
const visit = async (hash: string) => {
  await page.evaluate((to: string) => void (location.hash = to), hash);
};
const send = (text: string) =>
  api.request("POST", `/v1/businesses/${business}/messages`, { body: { to: "5511900000002", type: "text", text } });
const tell = (event: string, data: Record<string, unknown> = {}) =>
  publishEvents(redis, [{ business_id: business, event, at: new Date().toISOString(), data }]);

test("a wrong key is told so; the right one signs in, with the keyboard alone, and is kept nowhere that scripts read", async () => {
  await page.waitForSelector("#key");
  await page.type("#key", `psk_abcdefgh_${"a".repeat(43)}`);
  await page.keyboard.press("Enter");
  await says("This API key is not known");
  await page.$eval("#key", (input) => ((input as HTMLInputElement).value = ""));
  await page.type("#key", api.adminKey);
  await page.keyboard.press("Enter");
  await says("Padaria Aurora");
  const kept = await page.evaluate(() => JSON.stringify([document.cookie, localStorage, sessionStorage]));
  expect(kept).not.toContain("prosaas=");
  expect(kept).not.toContain(api.adminKey);
  faults.length = 0;
});

test("businesses are listed with the state of their login, and found by their name", async () => {
  await says("Another");
  await says("qr");
  await page.type('input[type="search"]', "aurora");
  await page.waitForFunction(() => !document.body.innerText.includes("Another"));
  await says("Padaria Aurora");
});

test("the QR of a business is shown while there is one, and the login is open once it is scanned, by itself", async () => {
  await visit(`/businesses/${business}`);
  await page.waitForFunction(() => (document.querySelector<HTMLImageElement>("figure img")?.naturalWidth ?? 0) > 0);
  api.shards.sessions.set(business, sessionOf(business));
  await tell("session.status");
  await says("open");
  await page.waitForFunction(() => document.querySelector("figure img") === null);
});

test("messages of a chat are shown with their ticks, and new ones come by themselves", async () => {
  await send("The first of all");
  await visit(`/businesses/${business}/chats/${encodeURIComponent("5511900000002@s.whatsapp.net")}`);
  await says("The first of all");
  await send("One that comes later");
  await tell("message.sent");
  await says("One that comes later");
  expect(await page.$$eval('.thread [role="img"]', (ticks) => ticks.map((tick) => tick.getAttribute("aria-label")))).toEqual([
    "queued",
    "queued",
  ]);
});

test("queues, their dead letters, shards and calls are there, by way of the keyboard", async () => {
  const follow = async (title: string) => {
    await page.focus(`nav a[href="#/${title.toLowerCase()}"]`);
    await page.keyboard.press("Enter");
    await page.waitForFunction((wanted: string) => document.querySelector("h1")?.textContent === wanted, {}, title);
  };
  await follow("Queues");
  await says("high");
  await page.click('a[href="#/queues/high"]');
  await says("Dead letters of high");
  await follow("Shards");
  await says("http://shard-2");
  await follow("Calls");
  await page.waitForSelector("#limit");
  await page.type("#limit", "7");
  await page.keyboard.press("Enter");
  await says("of 7 in progress");
});

test("dark and light are as the reader chose, and stay so", async () => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.select(".theme select", "dark");
  const dark = await ground();
  await page.select(".theme select", "light");
  expect(await ground()).not.toBe(dark);
  await page.select(".theme select", "dark");
  await page.reload();
  await says("Calls");
  expect(await ground()).toBe(dark);
});

test("signing out ends the session; nothing of all that broke a rule of the content security policy or failed in a script", async () => {
  await page.evaluate(() => [...document.querySelectorAll("button")].find((button) => button.textContent === "Sign out")?.click());
  await page.waitForSelector("#key");
  const { headers } = await fetch(page.url(), { tls: { rejectUnauthorized: false } });
  expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  // A browser says by itself that the session is over.
  expect(faults.filter((fault) => !fault.includes("401"))).toEqual([]);
});
