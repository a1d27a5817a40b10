import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { until } from "../../../lib/testing/until.ts";
import { apiLimits } from "./limits.ts";
import { createHarness } from "../testing/harness.ts";
import type { Harness } from "../testing/harness.ts";

/* Over real connections: what a slow sender or reader holds is held in sockets and streams. */

let api: Harness;
let server: Bun.Server<undefined>;
let business: { id: string; key: string };
let other: { id: string; key: string };
const limits = apiLimits();
/** How long senders and readers may stall. */
const hasty = { graceMs: 3_000, windowMs: 3_000 };
/** Longer than a test waits. */
const patient = { graceMs: 120_000, windowMs: 120_000 };
let stall = hasty;
beforeAll(async () => {
  api = await createHarness({
    validate: false,
    limits: {
      bodies: { ...limits.bodies, deadlineMs: 3_000 },
      uploads: {
        ...limits.uploads,
        get graceMs() {
          return stall.graceMs;
        },
      },
      files: {
        total: 24,
        share: 16,
        minBytes: 64 * 1_024,
        get windowMs() {
          return stall.windowMs;
        },
      },
    },
  });
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 60, fetch: (request) => api.app.fetch(request) });
  [business, other] = [await api.business(), await api.business()];
});
afterAll(async () => {
  await server.stop(true);
  await api.close();
});

type Client = { socket: Socket; answer: () => string; status: () => number };
const clients: Client[] = [];
afterEach(async () => {
  stall = hasty;
  for (const { socket } of clients.splice(0)) socket.destroy();
  for (const slots of ["api_bodies_in_use", "api_uploads_in_use", "api_files_in_use"])
    await until(async () => (await metric(slots)) === 0, { what: `${slots} to return to 0` });
});

async function open(head: string[], { reads = true } = {}): Promise<Client> {
  const socket = connect(server.port!, "127.0.0.1");
  let text = "";
  socket.on("error", () => {});
  if (reads) socket.on("data", (chunk) => (text += chunk.toString("latin1")));
  else socket.pause();
  await once(socket, "connect");
  socket.write(`${head.join("\r\n")}\r\nHost: api\r\n\r\n`);
  const client = { socket, answer: () => text, status: () => Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1] ?? 0) };
  clients.push(client);
  return client;
}
const post = (path: string, { id, key }: { id: string; key: string }, type: string) => [
  `POST /v1/businesses/${id}/${path} HTTP/1.1`,
  `Authorization: Bearer ${key}`,
  `Content-Type: ${type}`,
  "Content-Length: 1000",
];
/** Opens clients that send one byte of a body of 1,000. */
const slowly = async (count: number, head: string[]) => {
  const all = await Promise.all(Array.from({ length: count }, () => open(head)));
  for (const { socket } of all) socket.write("{");
  return all;
};
const metric = async (name: string): Promise<number> => {
  const { body } = await api.request("GET", "/metrics", { key: "" });
  return Number(new RegExp(`${name}\\{[^}]*\\} (\\d+)`).exec(body)![1]);
};
const tell = (path: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${server.port}/v1/businesses/${other.id}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${other.key}`, ...(init.headers as Record<string, string>) },
  });
/** Checks that another tenant can read, write and upload. */
const othersGoOn = async () => {
  expect((await tell("")).status).toBe(200);
  const json = { "content-type": "application/json" };
  expect((await tell("", { method: "PATCH", headers: json, body: JSON.stringify({ name: "Other" }) })).status).toBe(
    200,
  );
  expect([200, 201]).toContain((await tell("/media", { method: "POST", body: "a text" })).status);
};

describe("slow uploads", () => {
  for (const [path, type] of [
    ["media", "text/plain"],
    ["broadcasts/01900000-0000-7000-8000-000000000000/recipients/upload", "text/csv"],
  ] as const) {
    test(`of one business use only its share (${type})`, async () => {
      // The route reads a table only if the broadcast exists.
      const draft = await api.request("POST", `/v1/businesses/${business.id}/broadcasts`, {
        body: { name: "x", text: "x" },
      });
      const slow = await slowly(600, post(path.replace(/01900000[^/]*/, draft.body.id), business, type));
      const answered = (...statuses: number[]) => slow.filter(({ status }) => statuses.includes(status()));
      // Imports have a lower limit of their own. A slot whose upload has ended with 408 goes to another one.
      const isShared = () => answered(408, 429).length >= 600 - limits.uploads.share;
      await until(isShared, { what: "the refusals" });
      expect(answered(429).some(({ answer }) => /retry-after: 5/i.test(answer()))).toBeTrue();
      expect(await metric("api_uploads_in_use")).toBeLessThanOrEqual(limits.uploads.share);
      await othersGoOn();
      await until(() => slow.every(({ status }) => [408, 429, 503].includes(status())), {
        what: "the others to end with 408",
      });
      await until(async () => (await metric("api_uploads_in_use")) === 0, { what: "no uploads" });
    });
  }

  test("release their slot when the client hangs up", async () => {
    stall = patient;
    await slowly(4, post("media", business, "text/plain"));
    await until(async () => (await metric("api_uploads_in_use")) === 4, { what: "uploads" });
    for (const { socket } of clients.splice(0)) socket.destroy();
    await until(async () => (await metric("api_uploads_in_use")) === 0, { what: "no uploads" });
  });

  test("that trickle below the rate end with 408", async () => {
    const [client] = await slowly(1, post("media", business, "text/plain"));
    const trickle = setInterval(() => client!.socket.write("x"), 100);
    try {
      await until(() => client!.status() === 408, { what: "408" });
      await until(() => client!.socket.closed || client!.socket.destroyed || client!.socket.readableEnded, {
        what: "the connection to close",
      });
    } finally {
      clearInterval(trickle);
    }
  });
});

describe("slow request bodies", () => {
  test("of one business use its share; end with 408", async () => {
    const slow = await slowly(600, post("messages", business, "application/json"));
    // A slot whose body has ended with 408 goes to another one.
    const isShared = () =>
      slow.filter(({ status }) => [408, 429].includes(status())).length >= 600 - limits.bodies.share;
    await until(isShared, { what: "the refusals" });
    expect(slow.some(({ status }) => status() === 429)).toBeTrue();
    expect(await metric("api_bodies_in_use")).toBeLessThanOrEqual(limits.bodies.share);
    await othersGoOn();
    // Requests of the same business without a body still succeed.
    expect((await api.request("GET", `/v1/businesses/${business.id}`, { key: business.key })).status).toBe(200);
    await until(() => slow.every(({ status }) => [408, 429].includes(status())), {
      what: "the others to end with 408",
    });
    await until(async () => (await metric("api_bodies_in_use")) === 0, { what: "no bodies" });
  });

  test("of unknown length are limited by bytes and time", async () => {
    const chunked = (path: string) => [
      ...post(path, business, "application/json").slice(0, -1),
      "Transfer-Encoding: chunked",
    ];
    const late = await open(chunked("messages"));
    late.socket.write("1\r\n{\r\n");
    const large = await open(chunked("messages"));
    const block = "x".repeat(64 * 1_024);
    for (let n = 0; n < 12; n++) large.socket.write(`${block.length.toString(16)}\r\n${block}\r\n`);
    await until(() => large.status() === 413, { what: "413" });
    await until(() => late.status() === 408, { what: "408" });
  });
});

describe("slow readers of files", () => {
  const size = 24 * 1_024 * 1_024;
  let path: string;
  beforeAll(async () => {
    const body = Buffer.alloc(size, "a line of a text that is long\n");
    const response = await api.app.request(`/v1/businesses/${business.id}/media`, {
      method: "POST",
      headers: { authorization: `Bearer ${business.key}` },
      body,
    });
    const { url } = (await response.json()) as { url: string };
    path = url.replace(/^https:\/\/[^/]+/, "");
  });
  const stalled = (count: number) =>
    Promise.all(Array.from({ length: count }, () => open([`GET ${path} HTTP/1.1`], { reads: false })));

  test("hold slots up to the business's share", async () => {
    stall = patient;
    await stalled(16);
    await until(async () => (await metric("api_files_in_use")) === 16, { what: "16 files" });
    const refused = await open([`GET ${path} HTTP/1.1`]);
    await until(() => refused.status() === 429, { what: "429" });
    expect(refused.answer()).toMatch(/retry-after: 2/i);
  });

  const cutOff = () => metric("api_files_stalled_total");

  test("are cut off and release their slots", async () => {
    const before = await cutOff();
    await stalled(10);
    await until(async () => (await cutOff()) === before + 10, { what: "all to be cut off" });
    await until(async () => (await metric("api_files_in_use")) === 0, { what: "no files" });
  });

  test("that hang up release their slots at once", async () => {
    stall = patient;
    const before = await cutOff();
    const readers = await stalled(5);
    await until(async () => (await metric("api_files_in_use")) === 5, { what: "5 files" });
    for (const { socket } of readers) socket.destroy();
    await until(async () => (await metric("api_files_in_use")) === 0, { what: "no files" });
    expect(await cutOff()).toBe(before);
  });

  test("that keep up receive the whole file", async () => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    expect((await response.arrayBuffer()).byteLength).toBe(size);
    await until(async () => (await metric("api_files_in_use")) === 0, { what: "no files" });
  });
});
