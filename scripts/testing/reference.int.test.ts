import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer-core";
import { createConsul } from "../../lib/consul/client.ts";
import { startConsulServer } from "../../lib/testing/consul_server.ts";
import type { ConsulServer } from "../../lib/testing/consul_server.ts";
import { freePort } from "../../lib/testing/free_port.ts";
import { createHarness } from "../../services/api/testing/harness.ts";
import type { Harness } from "../../services/api/testing/harness.ts";
import { startEdge } from "../lab/rig/edge.ts";
import type { Edge } from "../lab/rig/edge.ts";
import { load, startBrowser } from "./browser.ts";

/* The API reference in a real browser, served by the API through nginx with its real configuration. */
let folder: string;
let consul: ConsulServer;
let api: Harness;
let server: ReturnType<typeof Bun.serve>;
let edge: Edge;
let browser: Browser;
let page: Page;
let origin: string;
/** Errors in the browser's console; a violation of the content security policy is one. */
const faults: string[] = [];
/** Requests to other origins. */
const foreign: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-reference-"));
  await chmod(folder, 0o755);
  const httpsPort = await freePort();
  origin = `https://127.0.0.1:${httpsPort}`;
  consul = await startConsulServer();
  api = await createHarness({ publicUrl: origin });
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => api.app.fetch(request) });
  const register = { name: "prosaas-api", address: "127.0.0.1", port: server.port! };
  await createConsul({ addr: consul.addr }).api.agent.service.register(register);
  const answers = async () => (await fetch(`${origin}/v1/openapi.json`, { tls: { rejectUnauthorized: false } })).ok;
  edge = await startEdge(join(folder, "edge"), consul.addr, answers, { httpsPort });
  browser = await startBrowser({ userDataDir: join(folder, "browser") });
  await browser.defaultBrowserContext().overridePermissions(origin, ["clipboard-read", "clipboard-sanitized-write"]);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await edge?.stop();
  await server?.stop(true);
  await api?.close();
  await consul?.stop();
  await rm(folder, { recursive: true, force: true });
}, 120_000);

beforeEach(async () => {
  await page?.close();
  [faults.length, foreign.length] = [0, 0];
  page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => !request.url().startsWith(`${origin}/`) && foreign.push(request.url()));
  await load(page, `${origin}/docs`);
  await page.waitForSelector("#search", { visible: true });
}, 120_000);

const visible = (selector: string) =>
  page.$$eval(selector, (found) =>
    found.filter((each) => (each as HTMLElement).offsetParent !== null).map((each) => each.textContent.trim()),
  );
/** Opens the form of an operation, fills its fields and sends it. */
async function send(id: string, fields: Record<string, string>): Promise<void> {
  await page.$eval(`#${id} .try`, (details) => ((details as HTMLDetailsElement).open = true));
  for (const [name, value] of Object.entries(fields)) {
    await page.$eval(`#${id} [name="${name}"]`, (field) => ((field as HTMLInputElement).value = ""));
    await page.type(`#${id} [name="${name}"]`, value);
  }
  await page.click(`#${id} .try form button`);
}
const says = (id: string, text: string) =>
  page.waitForFunction(
    (selector: string, wanted: string) => document.querySelector(selector)?.textContent.includes(wanted),
    { timeout: 60_000 },
    `#${id} output`,
    text,
  );

const createBusiness = "post-v1-businesses";
const getBusiness = "get-v1-businesses-business-id-";
const sendMessage = "post-v1-businesses-business-id-messages";

describe("the reference in a browser", () => {
  test("loads nothing foreign and violates no policy", async () => {
    const { status, headers } = await fetch(`${origin}/docs`, { tls: { rejectUnauthorized: false } });
    expect(status).toBe(200);
    expect(headers.get("content-security-policy")).not.toContain("unsafe");
    expect([faults, foreign]).toEqual([[], []]);
  });

  test("finds operations and webhook events by words", async () => {
    const all = (await visible("nav li")).length;
    await page.keyboard.press("/");
    await page.keyboard.type("send message");
    const found = await visible("nav li");
    expect(found).toContainEqual(expect.stringContaining("Send a message"));
    expect(found.length).toBeLessThan(all / 4);
    expect((await visible("main section h3")).length).toBe(found.length);
    await page.$eval("#search", (input) => ((input as HTMLInputElement).value = ""));
    await page.type("#search", "message.received");
    expect(await visible("main section h3 code")).toEqual(["message.received"]);
  });

  test("copies an example in the chosen language", async () => {
    await page.click(`#${sendMessage} [data-language="Python"] summary`);
    expect((await visible(`#${createBusiness} .samples pre`)).length).toBe(1);
    await page.click(`#${sendMessage} [data-language="Python"] .copy`);
    await page.waitForFunction(
      (selector: string) => document.querySelector(selector)?.textContent === "Copied",
      {},
      `#${sendMessage} [data-language="Python"] .copy`,
    );
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toContain("os.environ['BUSINESS_ID']");
    expect(faults).toEqual([]);
  });

  test("sends a request and shows the response", async () => {
    await send(createBusiness, {});
    expect(await page.$eval("#key", (input) => (input as HTMLInputElement).validationMessage)).toContain("API key");
    await page.type("#key", api.adminKey);
    await send(createBusiness, { "body:application/json": '{"name": "From the reference"}' });
    await says(createBusiness, "201");
    await says(createBusiness, '"name": "From the reference"');
    const { body } = await api.request("GET", "/v1/businesses");
    expect(body.data).toContainEqual(expect.objectContaining({ name: "From the reference" }));
    expect([faults, foreign]).toEqual([[], []]);
  });

  test("encodes ids, reuses them and shows problems", async () => {
    const { id } = await api.business();
    await page.type("#key", api.adminKey);
    await send(getBusiness, { "path:business_id": id });
    await says(getBusiness, id);
    const path = `#${sendMessage} [name="path:business_id"]`;
    expect(await page.$eval(path, (input) => (input as HTMLInputElement).value)).toBe(id);
    await send(getBusiness, { "path:business_id": "a?b#c" });
    await says(getBusiness, "urn:prosaas:problem:not_found");
  });
});
