import { afterAll, describe, expect, test } from "bun:test";
import { subscribableEvents, webhookEvents } from "../../../lib/events/index.ts";
import { scopes } from "../http/auth/principal.ts";
import { createOfflineApp } from "../testing/offline_app.ts";

const { app, operational, close } = createOfflineApp("https://api.example.com");
afterAll(close);

type Operation = {
  summary?: string;
  tags?: string[];
  requestBody?: unknown;
  responses: Record<string, { content?: Record<string, unknown> }>;
  parameters?: { name: string; in: string }[];
};
const document = (await (await app.request("/v1/openapi.json")).json()) as {
  openapi: string;
  servers: { url: string }[];
  security: unknown[];
  paths: Record<string, Record<string, Operation>>;
  webhooks: Record<string, { post: { requestBody: { content: Record<string, { schema: { properties: object } }> } } }>;
  components: { schemas: Record<string, { properties: Record<string, object>; enum?: string[] }> };
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
);

describe("the document", () => {
  test("is OpenAPI 3.1 with server and security", () => {
    expect(document.openapi).toBe("3.1.0");
    expect(document.servers).toEqual([{ url: "https://api.example.com" }]);
    expect(document.security).toEqual([{ key: [] }]);
  });

  test("contains every route under /v1", () => {
    const inDocument = operations.map(({ name }) => name.replaceAll(/\{(\w+)\}/g, ":$1"));
    // Clients never build the signed URLs of files, so the document omits them.
    const apart = (path: string) => path === "/v1/openapi.json" || path.startsWith("/v1/files/");
    const served = app.routes.filter(
      (route) => route.method !== "ALL" && route.path.startsWith("/v1/") && !apart(route.path),
    );
    const names = new Set(served.map((route) => `${route.method} ${route.path}`));
    expect(names.size).toBeGreaterThan(15);
    expect(inDocument.toSorted()).toEqual([...names].toSorted());
  });
});

describe("every operation", () => {
  test("has a summary, path parameters and problem responses", () => {
    for (const { name, path, operation } of operations) {
      expect(operation.summary, name).toBeString();
      expect(operation.tags, name).toHaveLength(1);
      const inPath = (operation.parameters ?? [])
        .filter((parameter) => parameter.in === "path")
        .map((parameter) => parameter.name);
      expect(inPath, name).toEqual([...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!));
      for (const status of ["401", "404", "503"]) expect(Object.keys(operation.responses), name).toContain(status);
      for (const [status, response] of Object.entries(operation.responses)) {
        if (Number(status) >= 400)
          expect(Object.keys(response.content ?? {}), `${name} ${status}`).toEqual(["application/problem+json"]);
      }
    }
  });

  test("accepts an Idempotency-Key if it creates something", () => {
    // Excluded: each sign-in creates a new session, and uploads deduplicate by content.
    const own = new Set(["/v1/console/session", "/v1/businesses/{business_id}/media"]);
    const creating = operations.filter(
      ({ name, operation }) => name.startsWith("POST") && "201" in operation.responses,
    );
    const others = creating.filter(({ path }) => !own.has(path));
    expect(others.length).toBeGreaterThan(5);
    for (const { name, operation } of [
      ...others,
      ...operations.filter((each) => each.name.endsWith("{business_id}/messages")),
    ]) {
      if (name.startsWith("GET")) continue;
      expect(takes(operation, "idempotency-key"), name).toBeTrue();
      expect(Object.keys(operation.responses), name).toContain("422");
    }
  });

  test("accepts If-Match if it is a PATCH", () => {
    const patches = operations.filter(({ name }) => name.startsWith("PATCH"));
    expect(patches.length).toBeGreaterThan(1);
    for (const { name, path, operation } of patches) {
      expect(takes(operation, "if-match"), name).toBeTrue();
      expect(Object.keys(operation.responses), name).toContain("412");
      const read = operations.find((each) => each.name === `GET ${path}`)!.operation.responses["200"] as {
        headers?: object;
      };
      expect(Object.keys(read.headers ?? {}), name).toContain("etag");
    }
  });

  test("documents 429, and 400, 413, 415 with bodies", () => {
    for (const { name, operation } of operations) {
      const statuses = Object.keys(operation.responses);
      expect(statuses, name).toContain("429");
      if (operation.requestBody) for (const status of ["400", "413", "415"]) expect(statuses, name).toContain(status);
    }
  });
});

test("answers unknown paths with a problem", async () => {
  const answer = await app.request("/nowhere");
  expect(answer.status).toBe(404);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(await answer.json()).toMatchObject({ type: "urn:prosaas:problem:not_found", request_id: expect.any(String) });
});

test("is not ready while the database is unavailable", async () => {
  const ready = await operational.request("/ready");
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({ checks: [{ name: "postgres", ok: false }] });
  const headers = { authorization: `Bearer psk_abcdefgh_${"a".repeat(43)}` };
  const answer = await app.request("/v1/businesses", { headers });
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
  expect((await operational.request("/health")).status).toBe(200);
});

test("shows a complete reference page without foreign resources", async () => {
  const answer = await app.request("/docs");
  expect(answer.headers.get("content-type")).toStartWith("text/html");
  expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  const page = await answer.text();
  for (const { path, operation } of operations) {
    expect(page).toContain(`<code>${path}</code>`);
    expect(page).toContain(operation.summary!.replaceAll("'", "&#39;"));
  }
  for (const event of Object.keys(document.webhooks)) expect(page).toContain(`<code>${event}</code>`);
  const loaded = [...page.matchAll(/<(?:link|img|iframe|script)[^>]*(?:href|src)="([^"]+)"/g)].map((match) => match[1]);
  expect(loaded).toEqual(["/docs/docs.css", "/docs/docs.js"]);
  expect((await app.request("/docs/docs.css")).headers.get("content-type")).toBe("text/css");
  expect((await app.request("/docs/docs.js")).headers.get("content-type")).toBe("text/javascript");
});

const takes = (operation: Operation, name: string) =>
  (operation.parameters ?? []).some((parameter) => parameter.name === name);
describe("the event catalogue in the document", () => {
  test("describes each webhook event with its payload", () => {
    expect(Object.keys(document.webhooks)).toEqual(webhookEvents);
    for (const [name, { post }] of Object.entries(document.webhooks)) {
      const { properties } = post.requestBody.content["application/json"]!.schema;
      expect(properties, name).toMatchObject({ type: { enum: [name] } });
      const component = (properties as { data: { $ref: string } }).data.$ref.split("/").at(-1)!;
      expect(document.components.schemas[component]!.properties, name).toHaveProperty("business_id");
    }
  });

  test.each([
    ["events", "SubscribableEvent", subscribableEvents, ["NewWebhook", "WebhookChanges", "Webhook"]],
    ["scopes", "Scope", scopes, ["NewKey", "Key"]],
  ])("constrains %s to an enum", (field, component, values, schemas) => {
    expect(document.components.schemas[component]!.enum).toEqual([...values]);
    for (const schema of schemas) {
      const items = { $ref: `#/components/schemas/${component}` };
      expect(document.components.schemas[schema]!.properties[field], schema).toMatchObject({ type: "array", items });
    }
  });
});
