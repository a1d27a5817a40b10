import { beforeAll, describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { forBusiness, submitMessage } from "../../../../lib/db/index.ts";
import type { OpenApiDocument } from "../../../../lib/testing/openapi.ts";
import { useHarness } from "../../testing/use_harness.ts";

type Operation = { method: string; path: string };

let operations: Operation[];
const api = useHarness({ keys: { ttlMs: 5_000 } });
beforeAll(async () => {
  const document = (await (await api.app.request("/v1/openapi.json")).json()) as OpenApiDocument;
  operations = Object.entries(document.paths)
    .filter(([path]) => path.includes("{business_id}"))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })))
    .filter(({ method }) => ["GET", "POST", "PUT", "PATCH", "DELETE"].includes(method));
});

/** Creates a business with one row for each path parameter. */
async function furnished() {
  const { id, key } = await api.business();
  const message_id = uuidv7();
  await submitMessage(forBusiness(api.database.db, id), {
    id: message_id,
    chat: "5511987654321@s.whatsapp.net",
    type: "text",
    text: "x",
    wa_message_id: message_id,
  });
  const webhook = await api.request("POST", `/v1/businesses/${id}/webhooks`, {
    key,
    body: { url: "https://example.com/hook", events: ["message.received"] },
  });
  const broadcast = await api.request("POST", `/v1/businesses/${id}/broadcasts`, {
    key,
    body: { name: "x", text: "x" },
  });
  const [stored] = (await api.request("GET", `/v1/businesses/${id}/keys`)).body.data;
  const ids: Record<string, string> = {
    business_id: id,
    message_id,
    webhook_id: webhook.body.id,
    broadcast_id: broadcast.body.id,
    key_id: stored.id,
    chat: "5511987654321",
  };
  return { id, key, ids };
}

const filled = (path: string, ids: Record<string, string>) =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(ids[name] ?? randomUUID()));

const ask = async ({ method, path }: Operation, ids: Record<string, string>, key: string) => {
  const body = method === "GET" || method === "DELETE" ? {} : { body: JSON.stringify({ shard: 1 }) };
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const response = await api.app.request(filled(path, ids), { method, headers, ...body });
  await response.body?.cancel();
  return response.status;
};

describe("a deleted business", () => {
  test("answers 404 to every operation", async () => {
    expect(operations.length).toBeGreaterThan(50);
    const { id, key, ids } = await furnished();
    // Caches each key and checks that each list answers before the deletion.
    for (const path of ["", "/messages", "/webhooks", "/broadcasts", "/keys", "/calls"]) {
      expect([path, (await api.request("GET", `/v1/businesses/${id}${path}`, { key })).status]).toEqual([path, 200]);
    }
    expect((await api.request("DELETE", `/v1/businesses/${id}`)).status).toBe(204);
    const wrong: string[] = [];
    for (const operation of operations) {
      const [own, admin] = [await ask(operation, ids, key), await ask(operation, ids, api.adminKey)];
      if (![401, 404].includes(own) || admin !== 404)
        wrong.push(`${operation.method} ${operation.path}: ${own} ${admin}`);
    }
    expect(wrong).toEqual([]);
  });

  test("answers 404 to a console session", async () => {
    const { id, ids } = await furnished();
    const signedIn = await api.request("POST", "/v1/console/session");
    const cookie = signedIn.headers.get("set-cookie")!.split(";")[0]!;
    expect((await api.request("DELETE", `/v1/businesses/${id}`)).status).toBe(204);
    for (const path of ["/messages", `/messages/${ids["message_id"]}`, "/events"]) {
      const answer = await api.app.request(`/v1/businesses/${id}${path}`, { headers: { cookie } });
      expect([path, answer.status]).toEqual([path, 404]);
    }
  });
});
