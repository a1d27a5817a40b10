import { expect } from "bun:test";
import { readFile } from "node:fs/promises";
import { until } from "../../lib/testing/until.ts";
import { createCaller } from "../cli/operator/http.ts";
import type { Stack } from "../cli/operator/stack.ts";
import { createNomad } from "../stack/nomad.ts";
import type { Allocation } from "../stack/nomad.ts";
import { resultOf } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import { commandLine, processIds, serviceProcess } from "./processes.ts";

/** Checks of secrets on the stack of the end-to-end test. */

type Entry = { Checks: { Status: string }[] };

/** Secrets of the data services, and of the calls service, which alone is replaced. */
const rotated = [
  "redis_calls_password",
  "postgres_owner_password",
  "postgres_superuser_password",
  "postgres_replication_password",
];

/** Checks that a rotation rolls out changed secrets with at most one replica missing. */
export async function checkSecretRollout(cluster: Cluster, stack: Stack): Promise<void> {
  const nomad = createNomad(stack.nomad_addr);
  const consul = createCaller({
    baseUrl: `http://${stack.consul_http_addr}`,
    token: process.env["CONSUL_HTTP_TOKEN"]!,
  });
  const allocations = () => nomad<Allocation[]>("GET", "/v1/job/calls/allocations");
  const running = async () =>
    (await allocations()).filter(
      ({ ClientStatus, DesiredStatus }) => ClientStatus === "running" && DesiredStatus === "run",
    );
  const passing = async () => {
    const entries = await consul<Entry[]>("GET", "/v1/health/service/prosaas-calls");
    return entries.filter(({ Checks }) => Checks.every(({ Status }) => Status === "passing")).length;
  };

  const before = await running();
  expect(before.length).toBeGreaterThanOrEqual(2);
  await until(async () => (await passing()) === before.length, {
    what: "every calls replica to pass its checks",
  });
  const path = "/v1/var/nomad/jobs/calls";
  const variable = await nomad<{ Items: Record<string, string> }>("GET", path);
  const secret = crypto.randomUUID();
  await nomad("PUT", path, { Path: "nomad/jobs/calls", Items: { ...variable.Items, METRICS_TOKEN: secret } });

  const watching = new AbortController();
  let longestMs = 0;
  const watch = (async () => {
    let since: number | null = null;
    while (!watching.signal.aborted) {
      const asked = performance.now();
      since = (await passing()) < before.length - 1 ? (since ?? performance.now()) : null;
      // Until the last question: on a busy machine its answer is late.
      if (since !== null) longestMs = Math.max(longestMs, asked - since);
    }
  })();
  expect(resultOf(await cluster.run(["./scripts/task", "secrets:apply", "--", "--dry-run", "--json"]))).toMatchObject({
    changes: [{ what: "secrets of calls" }],
  });
  const names = `NAME=${rotated.join(",")}`;
  const output = await cluster.run(["./scripts/task", "secrets:rotate", names, "--", "--json"]);
  watching.abort();
  await watch;

  const phases = ["accept a new value", "use the new value", "remove the old value"];
  expect(resultOf(output)).toMatchObject({
    ok: true,
    changes: phases.map((phase) => ({ what: expect.stringContaining(phase) })),
  });
  // Nomad registers a canary's checks again at its promotion, and Consul lists them as critical for a moment. nginx
  // waits for 250 ms without changes.
  expect(longestMs).toBeLessThan(250);
  const after = await running();
  expect(after).toHaveLength(before.length);
  expect(after.filter(({ ID }) => before.some((old) => old.ID === ID))).toEqual([]);
  for (const { ID } of after) {
    expect(await readFile(`/proc/${await serviceProcess(ID, "calls")}/environ`, "utf8")).toContain(secret);
  }
  // No former allocation restarted.
  const old = (await allocations()).filter(({ ID }) => before.some((one) => one.ID === ID));
  expect(old.map(({ TaskStates }) => TaskStates?.["calls"]?.Restarts)).toEqual(old.map(() => 0));
  expect(resultOf(await cluster.run(["./scripts/task", "secrets:apply", "--", "--json"]))).toMatchObject({
    ok: true,
    changes: [],
  });
}

/** Looks for every secret in job specifications, command lines and logs. */
export async function checkSecretsStayHidden(cluster: Cluster, stack: Stack): Promise<void> {
  const nomad = createNomad(stack.nomad_addr);
  const secrets = new Set<string>();
  for (const { Path } of await nomad<{ Path: string }[]>("GET", "/v1/vars?prefix=nomad/jobs")) {
    const { Items } = await nomad<{ Items: Record<string, string> }>("GET", `/v1/var/${Path}`);
    for (const [name, value] of Object.entries(Items))
      if (/password|token|key|seed|auth/i.test(name) && !/root|cert|tls_authority/i.test(name)) secrets.add(value);
      else if (URL.canParse(value) && new URL(value).password !== "") secrets.add(new URL(value).password);
  }
  expect(secrets.size).toBeGreaterThanOrEqual(6);
  const texts: string[] = [];
  for (const { ID } of await nomad<{ ID: string }[]>("GET", "/v1/jobs"))
    texts.push(JSON.stringify(await nomad("GET", `/v1/job/${encodeURIComponent(ID)}`)));
  for (const pid of await processIds()) texts.push(await commandLine(pid));
  const found = await Promise.all(
    ["logs/*", "nomad/**/alloc/logs/*.{stdout,stderr}.*"].map((files) =>
      Array.fromAsync(new Bun.Glob(files).scan({ cwd: cluster.state, absolute: true })),
    ),
  );
  const logs = found.flat();
  expect(logs.length).toBeGreaterThan(10);
  for (const file of logs) texts.push(await readFile(file, "utf8").catch(() => ""));
  const leaked = texts.filter((text) => [...secrets].some((secret) => text.includes(secret)));
  expect(leaked.map((text) => text.slice(0, 80))).toEqual([]);
}
