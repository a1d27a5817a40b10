import * as fc from "fast-check";
import type { Arbitrary } from "fast-check";
import { jsonOrUndefined } from "../../../lib/core/json.ts";
import { createFeed } from "../../../lib/events/index.ts";
import { createRedis } from "../../../lib/redis/client.ts";
import { createConformance } from "../../../lib/testing/openapi.ts";
import type { OpenApiDocument, Operation, Parameter } from "../../../lib/testing/openapi.ts";
import { testRedisUrl } from "../../../lib/testing/servers.ts";
import { createHarness } from "../../../services/api/testing/harness.ts";
import type { Harness } from "../../../services/api/testing/harness.ts";
import { sessionOf } from "../../../services/api/testing/fake_shards.ts";
import { createArbitraries, edgeCaseText } from "./arbitraries.ts";

export type FuzzResult = { requests: number; server_errors: number; invalid_responses: number; leaks: number };
export type Finding = { kind: keyof Omit<FuzzResult, "requests">; request: string; what: string };
export type FuzzOptions = {
  requests: number;
  seed: number;
  concurrency?: number;
  onFinding?: (finding: Finding) => void;
};

/** Marks the texts of the other tenant. */
const mark = "BELONGS-TO-THE-OTHER";

/**
 * Sends generated requests to the whole API over HTTP, with a real database, as no one, a tenant, a tenant with few
 * scopes and the admin. Counts server errors, answers that the OpenAPI document lacks, and leaked or changed data of
 * another tenant.
 */
export async function fuzzApi({
  requests,
  seed,
  concurrency = 8,
  onFinding = () => {},
}: FuzzOptions): Promise<FuzzResult> {
  const redis = createRedis(testRedisUrl(), "command");
  const feed = createFeed({ redis, blocking: createRedis(testRedisUrl(), "queue") });
  const api = await createHarness({ validate: false, feed });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    maxRequestBodySize: 1024 * 1024,
    fetch: (request) => api.app.fetch(request),
  });
  try {
    const world = await createWorld(api);
    const document = world.document;
    const conformance = createConformance(document);
    const result: FuzzResult = { requests: 0, server_errors: 0, invalid_responses: 0, leaks: 0 };
    const report = (finding: Finding) => {
      result[finding.kind] += 1;
      onFinding(finding);
    };
    const generated = generateRequests(requestsOf(world), requests, seed);
    const lane = async () => {
      for (const { caller, method, request } of generated) {
        result.requests += 1;
        const shown = `${caller.name}: ${method} ${request.path} ${request.body?.slice(0, 200) ?? ""}`;
        const answer = await ask(`http://127.0.0.1:${server.port}`, method, request);
        if (answer.status >= 500)
          report({ kind: "server_errors", request: shown, what: `${answer.status} ${answer.text.slice(0, 300)}` });
        const seen = { status: answer.status, contentType: answer.contentType, body: answer.body };
        const fault =
          method === "HEAD" ? undefined : conformance.faultOf(method, new URL(request.path, "http://x").pathname, seen);
        if (fault) report({ kind: "invalid_responses", request: shown, what: fault });
        if (caller.name !== "admin" && answer.text.includes(mark))
          report({ kind: "leaks", request: shown, what: answer.text.slice(0, 300) });
      }
    };
    await Promise.all(Array.from({ length: concurrency }, lane));
    for (const what of await world.damage()) report({ kind: "leaks", request: "all requests", what });
    return result;
  } finally {
    await feed.close();
    await server.stop(true);
    await api.close();
    redis.disconnect();
  }
}

type Caller = { name: string; authorization?: string };
type World = {
  document: OpenApiDocument;
  callers: Caller[];
  /** Ids of both tenants by the name of their parameter. */
  ids: Record<string, string[]>;
  /** Lists changes of the other tenant's data. */
  damage(): Promise<string[]>;
};

/** Two tenants: the caller's own, and another one whose texts all contain the mark. */
async function createWorld(api: Harness): Promise<World> {
  const [mine, other] = [await api.business(), await api.business()];
  const { key: weak } = await limitedKey(api, mine.id);
  const { body: admin } = await api.request("POST", "/v1/admin/keys", { body: { name: "Fuzz" } });
  for (const { id } of [mine, other]) {
    await api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { body: { method: "qr" } });
    api.shards.sessions.set(id, sessionOf(id));
  }
  await api.request("PATCH", `/v1/businesses/${other.id}`, { body: { name: mark } });
  const send = async (id: string, text: string) =>
    (await api.request("POST", `/v1/businesses/${id}/messages`, { body: { to: "5511900000002", type: "text", text } }))
      .body.id as string;
  const messages = [await send(mine.id, "mine"), await send(other.id, mark)];
  const otherKey = (
    await api.request("POST", `/v1/businesses/${other.id}/keys`, { body: { scopes: ["messages:read"], name: mark } })
  ).body;
  const { body: document } = await api.request("GET", "/v1/openapi.json");

  const snapshot = async () =>
    JSON.stringify([
      (await api.request("GET", `/v1/businesses/${other.id}`)).body,
      await api.database.owner`select id, name, scopes, revoked_at, expires_at from api_keys
          where business_id = ${other.id} order by id`,
      await api.database.owner`select id, text, status from messages where business_id = ${other.id} order by id`,
      api.shards.sessions.get(other.id),
    ]);
  const before = await snapshot();
  return {
    document,
    callers: [
      { name: "tenant", authorization: `Bearer ${mine.key}` },
      { name: "tenant", authorization: `Bearer ${mine.key}` },
      { name: "few scopes", authorization: `Bearer ${weak}` },
      { name: "admin", authorization: `Bearer ${admin.key}` },
      { name: "no one" },
      { name: "wrong key", authorization: `Bearer ${mine.key.slice(0, -1)}x` },
    ],
    ids: { business_id: [mine.id, mine.id, other.id], message_id: messages, key_id: [otherKey.id] },
    damage: async () => ((await snapshot()) === before ? [] : ["something of the other tenant's was changed"]),
  };
}

async function limitedKey(api: Harness, id: string): Promise<{ key: string }> {
  return (await api.request("POST", `/v1/businesses/${id}/keys`, { body: { scopes: ["keys:read"] } })).body;
}

type Composed = { path: string; headers: Record<string, string>; body: string | undefined };
type Generated = { caller: Caller; method: string; request: Composed };

/** Requests generated at once: few enough for memory, because a body may be large. */
const batch = 50;

function* generateRequests(arbitrary: Arbitrary<Generated>, count: number, seed: number): Generator<Generated> {
  for (let from = 0; from < count; from += batch)
    yield* fc.sample(arbitrary, { seed: (seed * 100_003 + from) | 0, numRuns: Math.min(batch, count - from) });
}

/** Requests of any caller for any operation. */
function requestsOf({ document, callers, ids }: World): Arbitrary<Generated> {
  const { body, parameter } = createArbitraries(document);
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );

  const idOf = (name: string, caller: Caller, template: string, method: string): Arbitrary<string> => {
    const isAdmin = caller.name === "admin";
    // The admin may change the other tenant, so it never addresses it.
    const known = isAdmin && name === "business_id" ? ids[name]!.slice(0, 1) : (ids[name] ?? []);
    // Nor does it delete the tenant whose key the other callers use.
    const spared = isAdmin && method !== "GET" && /\{(business_id|key_id)\}(\/rotate)?$/.test(template);
    const other = fc.oneof(
      fc.uuid(),
      edgeCaseText.map((text) => text.slice(0, 2_000) || "x"),
    );
    return known.length === 0 || spared
      ? other
      : fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...known) }, { weight: 2, arbitrary: other });
  };

  const pathOf = (template: string, caller: Caller, method: string): Arbitrary<string> => {
    const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    return fc.tuple(...names.map((name) => idOf(name, caller, template, method))).map((values) => {
      const left = values.values();
      return template.replaceAll(/\{\w+\}/g, () => encodeURIComponent(left.next().value!.toWellFormed()) || "x");
    });
  };

  const bodyOf = (method: string, operation: Operation): Arbitrary<string | undefined> => {
    const schema = operation.requestBody?.content["application/json"]?.schema;
    if (method === "GET") return fc.constant(undefined);
    if (schema !== undefined) return body(schema);
    return fc.oneof({ weight: 98, arbitrary: fc.constant(undefined) }, { weight: 2, arbitrary: body(undefined) });
  };

  const contentType = fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 92, arbitrary: fc.constant("application/json") },
    { weight: 5, arbitrary: fc.constantFrom("text/plain", "application/xml", "application/json; charset=utf-16") },
  );

  return fc
    .record({ operation: fc.constantFrom(...operations), caller: fc.constantFrom(...callers) })
    .chain(({ operation: { path: template, method, operation }, caller }) => {
      const given = operation.parameters ?? [];
      return fc
        .record({
          path: pathOf(template, caller, method),
          values: fc.tuple(...given.map(parameter)),
          body: bodyOf(method, operation),
          contentType,
        })
        .map((drawn) => ({ caller, method, request: compose(drawn, given, caller) }));
    });
}

type Drawn = {
  path: string;
  values: (string | undefined)[];
  body: string | undefined;
  contentType: string | undefined;
};

function compose({ path, values, body, contentType }: Drawn, given: readonly Parameter[], caller: Caller): Composed {
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  for (const [n, parameter] of given.entries()) {
    const value = values[n];
    if (value === undefined) continue;
    if (parameter.in === "query") query.append(parameter.name, value.toWellFormed().slice(0, 2_000));
    // The client would refuse an invalid header value.
    if (parameter.in === "header" && /^[\x20-\x7e]+$/.test(value)) headers[parameter.name] = value.slice(0, 2_000);
  }
  if (caller.authorization !== undefined) headers["authorization"] = caller.authorization;
  if (body !== undefined && contentType !== undefined) headers["content-type"] = contentType;
  return { path: `${path}${query.size > 0 ? `?${query}` : ""}`, headers, body };
}

async function ask(origin: string, method: string, { path, headers, body }: Composed) {
  const response = await fetch(`${origin}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
    redirect: "manual",
  });
  const contentType = response.headers.get("content-type");
  if (contentType?.startsWith("text/event-stream")) {
    await response.body?.cancel();
    return { status: response.status, contentType, text: "", body: undefined };
  }
  const text = await response.text();
  return {
    status: response.status,
    contentType,
    text,
    body: contentType?.includes("json") ? jsonOrUndefined(text) : text,
  };
}
