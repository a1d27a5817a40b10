import { createFeed } from "../../../lib/events/index.ts";
import { createRedis } from "../../../lib/redis/client.ts";
import { createConformance } from "../../../lib/testing/openapi.ts";
import type { OpenApiDocument, Operation } from "../../../lib/testing/openapi.ts";
import { testRedisUrl } from "../../../lib/testing/servers.ts";
import { createHarness } from "../../../services/api/testing/harness.ts";
import type { Harness } from "../../../services/api/testing/harness.ts";
import { sessionOf } from "../../../services/api/testing/fake_shards.ts";
import { createGenerator, createRandom } from "./generate.ts";
import type { Random } from "./generate.ts";

export type FuzzResult = { requests: number; server_errors: number; invalid_responses: number; leaks: number };
export type Finding = { kind: keyof Omit<FuzzResult, "requests">; request: string; what: string };
export type FuzzOptions = {
  requests: number;
  seed: number;
  concurrency?: number;
  onFinding?: (finding: Finding) => void;
};

/** Whatever belongs to the other tenant bears this somewhere in its text. */
const mark = "BELONGS-TO-THE-OTHER";

/**
 * Asks the whole API, over HTTP and with a real database, for what its document says and for what it does not, as
 * nobody, as a tenant, as a tenant with few scopes and as the admin. Counts answers of 500 and more, answers that the
 * document does not have, and whatever of another tenant's gets to a tenant or is changed by it.
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
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
    );
    const result: FuzzResult = { requests: 0, server_errors: 0, invalid_responses: 0, leaks: 0 };
    const report = (finding: Finding) => {
      result[finding.kind] += 1;
      onFinding(finding);
    };
    const worker = async (n: number) => {
      const random = createRandom(seed * 1_000 + n);
      const generator = createGenerator(document, random);
      while (result.requests < requests) {
        result.requests += 1;
        const { path, method, operation } = random.pick(operations);
        const caller = random.pick(world.callers);
        const request = compose(random, generator, world, caller, path, method, operation);
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
    await Promise.all(Array.from({ length: concurrency }, (_, n) => worker(n)));
    for (const what of await world.damage()) report({ kind: "leaks", request: "afterwards", what });
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
  /** Ids by the name of their parameter: of the caller's own, of the other's, of nothing. */
  ids: Record<string, string[]>;
  /** What of the other tenant's is not as it was. */
  damage(): Promise<string[]>;
};

/** Two tenants: the caller's own, and another with a row of everything, whose every text bears the mark. */
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
      await api.database
        .owner`select id, name, scopes, revoked_at, expires_at from api_keys where business_id = ${other.id} order by id`,
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
      { name: "nobody" },
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

function compose(
  random: Random,
  generator: ReturnType<typeof createGenerator>,
  world: World,
  caller: Caller,
  template: string,
  method: string,
  operation: Operation,
): Composed {
  const idOf = (name: string) => {
    // The admin may do everything to the other tenant, so it is not shown to it.
    const known =
      caller.name === "admin" && name === "business_id" ? world.ids[name]!.slice(0, 1) : (world.ids[name] ?? []);
    // Nor does it end the tenant whose key the others use.
    const spared = caller.name === "admin" && method !== "GET" && /\{(business_id|key_id)\}(\/rotate)?$/.test(template);
    if (known.length > 0 && !spared && random.chance(0.8)) return random.pick(known);
    return random.chance(0.5) ? crypto.randomUUID() : generator.text().slice(0, 2_000) || "x";
  };
  const path = template.replaceAll(
    /\{(\w+)\}/g,
    (_, name: string) => encodeURIComponent(idOf(name).toWellFormed()) || "x",
  );
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  for (const parameter of operation.parameters ?? []) {
    const value = generator.parameter(parameter);
    if (value === undefined) continue;
    if (parameter.in === "query") query.append(parameter.name, value.toWellFormed().slice(0, 2_000));
    // What is no header value never gets to the API.
    if (parameter.in === "header" && /^[\x20-\x7e]+$/.test(value)) headers[parameter.name] = value.slice(0, 2_000);
  }
  if (caller.authorization !== undefined) headers["authorization"] = caller.authorization;
  const schema = operation.requestBody?.content["application/json"]?.schema;
  const body = schema || random.chance(0.02) ? (method === "GET" ? undefined : generator.body(schema)) : undefined;
  if (body !== undefined && !random.chance(0.03)) {
    headers["content-type"] = random.chance(0.95)
      ? "application/json"
      : random.pick(["text/plain", "application/xml", "application/json; charset=utf-16"]);
  }
  const search = query.size > 0 ? `?${query}` : "";
  return { path: `${path}${search}`, headers, body };
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
  return { status: response.status, contentType, text, body: contentType?.includes("json") ? parsed(text) : text };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
