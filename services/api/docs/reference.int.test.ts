import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { forPlatform, quarantineEntries } from "../../../lib/db/index.ts";
import { languages, sampleRequest } from "./samples/index.ts";
import type { ApiDocument } from "./openapi.ts";
import { sessionOf } from "../testing/fake_shards.ts";
import { createHarness } from "../testing/harness.ts";
import type { Harness } from "../testing/harness.ts";
import { startSampleRunner } from "../testing/sample_runner.ts";
import { createTenant } from "../testing/tenant.ts";

/** Responses of operations that cannot succeed in the harness. */
const expectedFailures: Record<string, number[]> = {
  // The harness has no Redis, so no live stream.
  "GET /v1/businesses/{business_id}/events": [503],
  "GET /v1/admin/events": [503],
};

let api: Harness;
let server: ReturnType<typeof Bun.serve>;
let folder: string;
let document: ApiDocument;
let ids: Record<string, string>;

beforeAll(async () => {
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => api.app.fetch(request) });
  api = await createHarness({ validate: false, publicUrl: server.url.origin });
  folder = await mkdtemp(join(tmpdir(), "prosaas-samples-"));
  const photo = sharp({ create: { width: 8, height: 8, channels: 3, background: "#2a7" } });
  await Bun.write(join(folder, "photo.jpg"), await photo.jpeg().toBuffer());
  await Bun.write(join(folder, "recipients.csv"), "to,name\n5511987654321,Ada\n");
  document = (await (await api.app.request("/v1/openapi.json")).json()) as ApiDocument;
});
afterAll(async () => {
  await server.stop(true);
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

/** Prepares a tenant for a sample. */
const prepare: Record<string, () => Promise<unknown>> = {
  "POST …/start": () => draftWithRecipient(),
  "POST …/resume": () =>
    api.request("POST", `/v1/businesses/${ids["business_id"]}/broadcasts/${ids["broadcast_id"]}/pause`),
  "POST …/recipients": () => draft(),
  "POST …/upload": () => draft(),
  "GET …/qr.png": () => connect(),
  "GET …/qr.svg": () => connect(),
  "POST …/assertion": () => requirePasskey("assertion"),
  "POST …/confirm": () => requirePasskey("confirmation"),
  "GET /v1/admin/keys/{key_id}": () => adminKey(),
  "DELETE /v1/admin/keys/{key_id}": () => adminKey(),
  "POST /v1/admin/keys/{key_id}/rotate": () => adminKey(),
  "POST /v1/admin/businesses/{business_id}/move": () => assign(1),
  "GET /v1/admin/moves/{move_id}": () => assign(1).then(move),
  "GET /v1/admin/businesses/{business_id}/quarantine/{entry_id}": () => quarantine(),
  "POST /v1/admin/quarantine/{entry_id}/replay": () => quarantine(),
  "DELETE /v1/admin/quarantine/{entry_id}": () => quarantine(),
};

async function draft() {
  const { body } = await api.request("POST", `/v1/businesses/${ids["business_id"]}/broadcasts`, {
    body: { name: "Sale", text: "Hello" },
  });
  ids["broadcast_id"] = body.id;
}

async function draftWithRecipient() {
  await draft();
  const path = `/v1/businesses/${ids["business_id"]}/broadcasts/${ids["broadcast_id"]}/recipients`;
  await api.request("POST", path, { body: { recipients: [{ to: "5511900000002" }] } });
}

const assign = (shard: number) =>
  api.database.owner`update businesses set whatsapp_shard = ${shard} where id = ${ids["business_id"]!}`;

async function connect() {
  api.shards.sessions.delete(ids["business_id"]!);
  await api.request("POST", `/v1/businesses/${ids["business_id"]}/whatsapp/connect`, { body: { method: "qr" } });
}

async function requirePasskey(step: "assertion" | "confirmation") {
  await assign(1);
  const passkey = { step, expires_at: "2026-03-01T12:00:00.000Z" };
  api.shards.sessions.set(ids["business_id"]!, sessionOf(ids["business_id"]!, { status: "passkey", passkey }));
}

async function adminKey() {
  ids["key_id"] = (await api.request("POST", "/v1/admin/keys", { body: { name: "second" } })).body.id;
}

async function move() {
  const path = `/v1/admin/businesses/${ids["business_id"]}/move`;
  ids["move_id"] = (await api.request("POST", path, { body: { shard: 2 } })).body.id;
}

async function quarantine() {
  const business_id = ids["business_id"]!;
  const entry = { shard: 1, stream: "inbound", seq: 1, business_id, reason: "too long", entry: {}, at: new Date() };
  await quarantineEntries(forPlatform(api.database.db), [entry]);
  ids["entry_id"] = (await api.request("GET", `/v1/admin/quarantine?business_id=${business_id}`)).body.data[0].id;
}

/** The HTTP status, where each language shows it: the last line of curl, the first of the others, or an exception. */
const statusPattern: Record<string, RegExp> = {
  curl: /(\d{3})$/,
  JavaScript: /^(\d{3})/,
  Python: /^(\d{3})|HTTP Error (\d{3})/,
};

/** The HTTP status that a sample printed, 0 if there is none. */
function statusIn(language: string, output: string): number {
  const match = statusPattern[language]!.exec(output);
  return Number(match?.[1] ?? match?.[2] ?? 0);
}

/** The environment of a sample: the key, and the ids by their variables. */
const environment = (): Record<string, string> => ({
  API_KEY: api.adminKey,
  ...Object.fromEntries(Object.entries(ids).map(([name, value]) => [name.toUpperCase(), value])),
});

const tenants = new Map<string, Record<string, string>>();

/** Sets `ids` to those of a tenant that is prepared for a sample. Languages share it if the sample changes nothing. */
async function prepareTenant(name: string): Promise<void> {
  const known = tenants.get(name);
  const needed = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter!);
  ids = known ?? { ...(await createTenant(api, needed)).ids, name: "high", job_id: "1" };
  if (known) return;
  await (prepare[name] ?? prepare[name.replace(/ .*\//, " …/")])?.();
  if (name.startsWith("GET")) tenants.set(name, ids);
}

describe("samples of the reference", () => {
  test.each(Object.keys(languages))("in %s run unchanged", async (language) => {
    await using runner = await startSampleRunner(language, folder);
    const faults = [];
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    );
    for (const { method, path, operation } of operations) {
      const name = `${method} ${path}`;
      await prepareTenant(name);
      const sample = languages[language]!(sampleRequest(method, path, operation, document));
      const output = await runner.run(sample, environment());
      const status = statusIn(language, output);
      const expected =
        expectedFailures[name] ??
        Object.keys(operation.responses)
          .map(Number)
          .filter((each) => each < 400);
      if (!expected.includes(status)) faults.push(`${name}: ${status} ${output.slice(0, 300)}\n${sample}`);
    }
    expect(operations.length).toBeGreaterThan(50);
    expect(faults).toEqual([]);
  });

  test("are on the page", async () => {
    const page = await (await api.app.request("/docs")).text();
    expect(page).toContain("$BUSINESS_ID/messages");
    expect(page).toContain("--data-binary @photo.jpg");
    expect(page).toContain("await readFile(&quot;photo.jpg&quot;)");
    expect(page).toContain("{os.environ[&#39;BUSINESS_ID&#39;]}/messages");
  });
});
