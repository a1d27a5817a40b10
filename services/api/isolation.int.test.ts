import { beforeAll, describe, expect, test } from "bun:test";
import type { OpenApiDocument } from "../../lib/testing/openapi.ts";
import { exampleOf } from "./docs/samples/index.ts";
import type { ApiDocument } from "./docs/openapi.ts";
import { useHarness } from "./testing/use_harness.ts";
import { createTenant } from "./testing/tenant.ts";

/*
 * Calls every route of the OpenAPI document that has a business in its path, with each id of another tenant: as the
 * business, and as the resource below it. The response must not distinguish a foreign id from an unknown one.
 */
type Operation = { method: string; path: string; takesBody: boolean; body: unknown };

/** Bodies for operations whose documented example is not valid for a new tenant. */
const bodies: Record<string, unknown> = {
  "patch /v1/businesses/{business_id}": { name: "taken over" },
  "post /v1/businesses/{business_id}/keys": { scopes: ["messages:read"] },
  "post /v1/businesses/{business_id}/keys/{key_id}/rotate": { overlap_s: 0 },
  "post /v1/businesses/{business_id}/whatsapp/connect": { method: "qr" },
  "post /v1/businesses/{business_id}/whatsapp/passkey/confirm": { code: "7K2M-QX4P" },
  "post /v1/businesses/{business_id}/broadcasts": {
    name: "Sale",
    text: "Hello",
    recipients: [{ to: "5511900000002" }],
  },
  "post /v1/businesses/{business_id}/broadcasts/{broadcast_id}/recipients": { recipients: [{ to: "5511900000003" }] },
  "post /v1/businesses/{business_id}/broadcasts/{broadcast_id}/recipients/upload": "to\n5511900000003\n",
  ...Object.fromEntries(
    ["start", "pause", "resume", "cancel"].map((verb) => [
      `post /v1/businesses/{business_id}/broadcasts/{broadcast_id}/${verb}`,
      {},
    ]),
  ),
  "post /v1/businesses/{business_id}/opt_outs": { chat: "5511900000004" },
  "post /v1/businesses/{business_id}/webhooks": { url: "https://example.com/hook", events: ["message.received"] },
  "patch /v1/businesses/{business_id}/webhooks/{webhook_id}": { status: "disabled" },
  "post /v1/businesses/{business_id}/webhooks/{webhook_id}/rotate": { overlap_s: 0 },
  "post /v1/businesses/{business_id}/webhooks/{webhook_id}/test": {},
  "post /v1/businesses/{business_id}/webhooks/{webhook_id}/deliveries/replay": {
    from: "2026-01-01T00:00:00Z",
    to: "2026-01-02T00:00:00Z",
  },
  "post /v1/businesses/{business_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/replay": {},
  "put /v1/businesses/{business_id}/call_settings": { max_concurrent: 1 },
  "post /v1/businesses/{business_id}/media": "the bytes of a file",
  "post /v1/businesses/{business_id}/messages": { to: "5511900000002", type: "text", text: "hello" },
};
const nobody = "01900000-0000-7000-8000-000000000000";

let mine: { id: string; key: string };
let other: { id: string; key: string };
let operations: Operation[];
let foreign: Record<string, string>;

const api = useHarness();
beforeAll(async () => {
  const [mineAll, otherAll] = [await createTenant(api), await createTenant(api)];
  mine = { id: mineAll.ids["business_id"], key: mineAll.key };
  other = { id: otherAll.ids["business_id"], key: otherAll.key };
  const { business_id: _, ...rest } = otherAll.ids;
  foreign = rest;

  const document = (await api.request("GET", "/v1/openapi.json")).body as OpenApiDocument;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody }]) => {
      const schema = requestBody?.content["application/json"]?.schema;
      const example = schema && exampleOf(schema, document as ApiDocument, "request");
      return { method, path, takesBody: requestBody !== undefined, body: bodies[`${method} ${path}`] ?? example };
    }),
  );
});

// Admin routes answer tenants with the problem of an unknown path, whatever the id.
const underBusiness = () =>
  operations.filter(({ path }) => path.includes("{business_id}") && !path.startsWith("/v1/admin/"));
const ofAdmins = ({ method, path }: Operation) => method !== "get" && path.endsWith("/phone_numbers/{number}");
const fill = (path: string, ids: Record<string, string>) =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? nobody);
const ask = ({ method, path, body }: Operation, key: string, ids: Record<string, string>) =>
  api.request(method.toUpperCase(), fill(path, ids), { key, ...(body === undefined ? {} : { body }) });
const withoutRequestId = (body: Record<string, unknown>) => ({ ...body, request_id: undefined });

describe("tenant isolation", () => {
  test("covers every route with a valid body", () => {
    expect(underBusiness().length).toBeGreaterThanOrEqual(14);
    expect(underBusiness().filter(({ takesBody, body }) => takesBody && body === undefined)).toEqual([]);
  });

  test("answers the same for foreign and unknown businesses", async () => {
    for (const operation of underBusiness()) {
      const theirs = await ask(operation, mine.key, { business_id: other.id, ...foreign });
      const nobodys = await ask(operation, mine.key, { business_id: nobody });
      expect(theirs.status, `${operation.method} ${operation.path}`).toBe(404);
      expect(nobodys.status, `${operation.method} ${operation.path}`).toBe(404);
      // That problem names only the requested path.
      if (ofAdmins(operation) || (operation.method === "delete" && operation.path.endsWith("{business_id}"))) continue;
      expect(withoutRequestId(theirs.body)).toEqual(withoutRequestId(nobodys.body));
    }
  });

  test("hides foreign resources under the own business", async () => {
    const nested = underBusiness().filter(({ path }) => /\{business_id\}.*\{/.test(path));
    expect(nested.length).toBeGreaterThan(0);
    for (const operation of nested) {
      const answer = await ask(operation, mine.key, { business_id: mine.id, ...foreign });
      expect(answer.status, `${operation.method} ${operation.path}`).toBe(404);
    }
  });

  test("requires a key on every route", async () => {
    for (const operation of operations) {
      expect((await ask(operation, "", { business_id: mine.id })).status, `${operation.method} ${operation.path}`).toBe(
        401,
      );
    }
  });

  test("requires a scope on every route of a business", async () => {
    const { id, key } = await api.business(["keys:read"]);
    for (const operation of underBusiness()) {
      const { status } = await ask(operation, key, { business_id: id });
      const allowed = operation.method === "get" && operation.path.endsWith("/keys");
      expect(status === 403 || status === 404, `${operation.method} ${operation.path}: ${status}`).toBe(!allowed);
    }
  });

  test("leaves the other business and its shard untouched", async () => {
    expect((await api.request("GET", `/v1/businesses/${other.id}`)).body.name).toBe("A business");
    expect((await api.request("GET", `/v1/businesses/${other.id}/keys`)).body.data).toHaveLength(1);
    expect((await api.request("GET", `/v1/businesses/${other.id}/messages`)).body.data).toHaveLength(1);
    expect((await api.request("GET", `/v1/businesses/${other.id}/phone_numbers`)).body.data).toHaveLength(1);
    expect((await api.request("GET", `/v1/businesses/${other.id}/call_settings`)).body.max_concurrent).toBeNull();
    expect(api.shards.sessions.get(other.id)).toMatchObject({ status: "open" });
  });
});
