import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { connectAsOwner } from "../../../lib/db/client/owner.ts";
import type { OwnerConnection } from "../../../lib/db/client/owner.ts";
import type { OpenApiDocument } from "../../../lib/testing/openapi.ts";
import { until } from "../../../lib/testing/until.ts";
import { exampleOf } from "../docs/samples/index.ts";
import type { ApiDocument } from "../docs/openapi.ts";
import { png } from "../features/media/media.fixture.ts";
import { createTestMedia } from "../testing/media.ts";
import { useHarness } from "../testing/use_harness.ts";

/*
 * Asks every route while each table but those of keys is locked, as a stuck migration does. The statements of a request
 * must end with it, or its slot stays taken until the database gives up.
 */

const timeoutS = 1;
/** Less than the database's clients wait for an answer, after the deadline of the requests. */
const graceMs = 20_000;

const api = useHarness({ keys: { ttlMs: 60_000 }, media: createTestMedia("https://api.example.com") });

/** Locks the tables until `work` has ended. */
async function whileLocked<T>(work: () => Promise<T>): Promise<T> {
  return api.database.owner.begin(async (sql) => {
    const tables = await sql<{ name: string }[]>`
      select quote_ident(tablename) as name from pg_tables
      where schemaname = 'public' and tablename not in ('api_keys', 'console_sessions')`;
    await sql.unsafe(`lock table ${tables.map(({ name }) => name).join(", ")} in access exclusive mode`);
    return work();
  }) as Promise<T>;
}

async function inUse(slots: "requests" | "uploads"): Promise<number> {
  const { body } = await api.request("GET", "/metrics", { key: "" });
  return Number(new RegExp(`^prosaas_api_${slots}_in_use(?:\\{.*\\})? (\\d+)`, "m").exec(body as string)?.[1]);
}

/** Only a superuser sees the statements of others. */
let observer: OwnerConnection;
beforeAll(() => {
  observer = connectAsOwner({ url: api.database.ownerUrl, applicationName: "observer" });
});
afterAll(() => observer.end());

/** The statements of the API that run in Postgres. */
async function activeStatements(): Promise<string[]> {
  const rows = await observer<{ query: string }[]>`
    select query from pg_stat_activity
    where datname = current_database() and state = 'active' and pid <> pg_backend_pid()
      and backend_type = 'client backend'`;
  return rows.map(({ query }) => query).filter((query) => !usageRead.test(query));
}

/** The background read of quotas serves later requests too. The limit of the services' role ends it. */
const usageRead = /^set local prosaas\.business_id = '[^']*';select "quotas" from "businesses"/;

describe("statements of a request", () => {
  test("end at the request's deadline on every route", async () => {
    const document = (await (await api.app.request("/v1/openapi.json")).json()) as OpenApiDocument;
    const { id, key } = await api.business();
    // Caches the keys.
    expect((await api.request("GET", `/v1/businesses/${id}/messages`, { key })).status).toBe(200);
    const requests = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
    );
    expect(requests.length).toBeGreaterThan(80);
    const statuses = new Map<string, number>();
    await whileLocked(async () => {
      const ask = async ({ method, path, operation }: (typeof requests)[number]) => {
        if (path.endsWith("/events")) return;
        const schema = operation.requestBody?.content["application/json"]?.schema;
        const body = schema && exampleOf(schema, document as ApiDocument, "request");
        const isTenants = path.includes("/businesses/{business_id}/") && !path.includes("/admin/");
        const target = path
          .replace("{business_id}", id)
          .replaceAll(/\{(\w+)\}/g, (_, name: string) => (name === "chat" ? "5511987654321" : randomUUID()));
        const response = await api.app.request(target, {
          method: method.toUpperCase(),
          headers: {
            authorization: `Bearer ${isTenants ? key : api.adminKey}`,
            "content-type": "application/json",
            "x-request-timeout": `${timeoutS}`,
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        await response.body?.cancel();
        statuses.set(`${method} ${path}`, response.status);
      };
      const asking = Promise.all(requests.map(ask));
      await until(async () => (await activeStatements()).length > 0, { what: "a statement to wait", everyMs: 5 });
      await asking;
      await until(async () => (await inUse("requests")) === 0, { deadlineMs: graceMs, what: "every request to end" });
      const noneRuns = async () => {
        const active = await activeStatements();
        if (active.length > 0) throw new Error(active.join("; "));
        return true;
      };
      await until(noneRuns, { deadlineMs: graceMs, what: "every statement to end" });
    });
    // Enough of them waited for the database.
    expect([...statuses.values()].filter((status) => status === 503).length).toBeGreaterThan(60);
  });

  test("end with an upload whose quota cannot be read", async () => {
    const { id, key } = await api.business();
    await api.database.owner.begin(async (sql) => {
      await sql`lock table media in access exclusive mode`;
      const response = await api.app.request(`/v1/businesses/${id}/media`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "x-request-timeout": `${timeoutS}` },
        body: png,
      });
      expect(response.status).toBe(503);
      await until(async () => (await inUse("uploads")) === 0, { deadlineMs: 2_000, what: "the upload to end" });
    });
  });
});
