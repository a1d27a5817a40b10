import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, say } from "../command.ts";
import { rounded } from "../figures.ts";
import { createApiBench } from "./api_bench.ts";
import { quantile } from "../../cli/operator/table.ts";
import { insertDirectly } from "./direct.ts";
import type { DirectResult } from "./direct.ts";
import { messageRequest } from "../rig/customer_api.ts";
import { httpRequest } from "../rig/https_load.ts";
import { listTenMillion } from "./ten_million.ts";

const values = labCommand(
  "bench:api",
  `Measure the API through nginx, pgbouncer and a durable PostgreSQL.

Compares POST with the same inserts sent directly to Postgres, and reads pages of a large table.
Starts every server it needs and stops all of them.`,
)
  .option("--seconds <n>", "length of each measurement", wholeNumber(), 5)
  .option("--connections <n>", "requests in flight", wholeNumber(), 32)
  .option("--messages <n>", "rows of the table whose pages are read", wholeNumber(), 10_000_000)
  .parse()
  .opts();
const { seconds, connections, messages } = values;
const shown = (result: { perSecond: number; p50Ms: number; p99Ms: number; failures: number }) =>
  `${Math.round(result.perSecond)}/s  p50 ${result.p50Ms.toFixed(1)} ms  p99 ${result.p99Ms.toFixed(1)} ms` +
  (result.failures > 0 ? `  ${result.failures} failed` : "");

const folder = await mkdtemp(join(tmpdir(), "prosaas-bench-"));
const bench = await createApiBench(folder);
try {
  const { businesses } = bench;
  const businessOf = (n: number) => businesses[n % businesses.length]!;
  const measure = async (title: string, make: (n: number) => string, rate?: number) => {
    const before = await bench.queries();
    const result = await bench.load({ make, connections, seconds, ...(rate === undefined ? {} : { rate }) });
    const queries = ((await bench.queries()) - before) / Math.max(1, result.requests);
    say(`${title.padEnd(32)} ${shown(result)}  ${queries.toFixed(2)} queries a request`);
    if (result.failures > 0)
      throw new Error(
        `${title}: ${result.failures} of ${result.requests} requests failed: ${JSON.stringify(result.statuses)}`,
      );
    return { ...result, queries };
  };
  const post = (n: number) => {
    return httpRequest(messageRequest(businessOf(n), "5511987654321", bench.text));
  };
  const get = (n: number) => {
    const { id, key, messageId } = businessOf(n);
    const headers = { authorization: `Bearer ${key}` };
    return httpRequest({ method: "GET", path: `/v1/businesses/${id}/messages/${messageId}`, headers });
  };

  // Warm-up: the first requests of a process run code that is not compiled yet.
  await bench.load({ make: post, connections, seconds: 2 });
  const page = await measure("a static page", () => httpRequest({ method: "GET", path: "/" }));
  const hono = await measure("bare Hono", () => httpRequest({ method: "GET", path: "/webhooks/twilio/bare" }));
  const got = await measure("GET message", get);
  const ids = businesses.map(({ id }) => id);
  // In turn, so that other work of the machine disturbs both alike.
  const rounds: { posted: Awaited<ReturnType<typeof measure>>; direct: DirectResult }[] = [];
  for (let round = 0; round < 3; round++) {
    const posted = await measure("POST message", post);
    const direct = await insertDirectly(bench.databaseUrl, ids, connections, seconds);
    say(`${"the same inserts, directly".padEnd(32)} ${Math.round(direct.perSecond)}/s`);
    rounds.push({ posted, direct });
  }
  const postPerSecond = quantile(
    rounds.map(({ posted }) => posted.perSecond),
    0.5,
  );
  const directPerSecond = quantile(
    rounds.map(({ direct }) => direct.perSecond),
    0.5,
  );
  const ratio = quantile(
    rounds.map(({ posted, direct }) => posted.perSecond / direct.perSecond),
    0.5,
  );
  const half = await measure("POST message at half of that", post, postPerSecond / 2);
  const list = await listTenMillion(bench, messages, say);

  const result = {
    post_per_s: Math.round(postPerSecond),
    direct_insert_per_s: Math.round(directPerSecond),
    ratio_to_direct: rounded(ratio),
    post_p99_ms_half_peak: rounded(half.p99Ms, 1),
    get_per_s: Math.round(got.perSecond),
    hono_per_s: Math.round(hono.perSecond),
    static_per_s: Math.round(page.perSecond),
    list_10m_p99_ms: rounded(list.p99Ms, 1),
    list_10m_unindexed_ms: rounded(list.unindexedMs, 1),
    queries_per_request_max: Number(
      Math.max(got.queries, ...rounds.map(({ posted }) => posted.queries), half.queries, list.queries).toFixed(2),
    ),
  };
  await publish("bench:api", values, result);
} finally {
  await bench.stop();
  await rm(folder, { recursive: true, force: true });
}
