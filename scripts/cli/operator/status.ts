import { z } from "zod";
import { messageOf } from "../../../lib/core/errors.ts";
import { bodyOf } from "../../../lib/api-client/index.ts";
import { queuesOf } from "../../../lib/queues/definitions.ts";
import type { Profile } from "../../../lib/queues/definitions.ts";
import { connectConsul } from "../../stack/consul.ts";
import { createNomad } from "../../stack/nomad.ts";
import type { Job } from "../../stack/nomad.ts";
import { releaseName, releaseOf } from "../../stack/release/running.ts";
import { describeRecord, readRecord } from "../deploy/record.ts";
import { readCordon } from "../scale/nodes/cordon.ts";
import { adminApi } from "./admin_api.ts";
import { resultCommand } from "../arguments.ts";
import { compareCounts, countsInFiles, driftOfNumShards } from "./drift.ts";
import type { Drift } from "./drift.ts";
import { readStack, stateFolder } from "./stack.ts";
import { table } from "./table.ts";

const values = resultCommand(
  "status",
  `Show jobs, shards, queues and drift.

Lists running and requested allocations of each job with its release, the last deploy, shards with
their sessions, queue depths, and counts that differ from those in the job files. Exits 1 if a part
could not be read or a job runs too few allocations.`,
)
  .parse()
  .opts();

const stack = await readStack();
// It reports what it cannot read: an operator wants to know of a lost leader at once.
const nomad = createNomad(stack.nomad_addr, { settleMs: 0 });
const api = await adminApi(stack);

const jobStub = z.object({ ID: z.string(), Type: z.string(), Status: z.string(), ParentID: z.string().nullish() });
const jobSummary = z.object({
  Summary: z.record(z.string(), z.object({ Running: z.int(), Starting: z.int(), Queued: z.int() })),
});

type Group = {
  job: string;
  group: string;
  type: string;
  running: number;
  count: number;
  starting: number;
  release: string | null;
};

async function groups(): Promise<Group[]> {
  const stubs = z.array(jobStub).parse(await nomad("GET", "/v1/jobs"));
  const services = stubs.filter((job) => ["service", "system"].includes(job.Type) && !job.ParentID);
  const all = await Promise.all(
    services.map(async ({ ID, Type }) => {
      const [spec, summary] = await Promise.all([
        nomad<Job>("GET", `/v1/job/${ID}`),
        nomad("GET", `/v1/job/${ID}/summary`),
      ]);
      const { Summary } = jobSummary.parse(summary);
      const address = releaseOf(spec);
      const release = address === undefined ? null : releaseName(address);
      return spec.TaskGroups.map(({ Name, Count }) => {
        const { Running: running, Starting, Queued } = Summary[Name] ?? { Running: 0, Starting: 0, Queued: 0 };
        const starting = Starting + Queued;
        // A system job runs once on each node of its pool.
        const count = Type === "system" ? Math.max(1, running + starting) : Count;
        return { job: ID, group: Name, type: Type, count, running, starting, release };
      });
    }),
  );
  return all.flat().toSorted((a, b) => a.job.localeCompare(b.job) || a.group.localeCompare(b.group));
}

/** Jobs whose counts the operator sets. */
const scalable = ["api", "calls", "wa-shards", "workers"];

/** Drift is reported, but is no fault: deploys keep scaled counts. */
async function driftOf(all: readonly Group[]): Promise<Drift[]> {
  const sized = all.filter(({ job }) => scalable.includes(job));
  const files = await countsInFiles(
    nomad,
    scalable.filter((id) => sized.some(({ job }) => job === id)),
    stateFolder(stack.stack),
  );
  const shardCount = sized.find(({ job }) => job === "wa-shards")?.count;
  const number = shardCount === undefined ? [] : await driftOfNumShards(stack.consul_http_addr, shardCount);
  return [...compareCounts(sized, files), ...number];
}

/** A part of the report or its error, so that one failed part does not hide the others. */
async function part<T>(read: () => Promise<T>): Promise<{ value: T } | { error: string }> {
  try {
    return { value: await read() };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

const counted = part(groups);
const [jobs, shards, queues, drift, cordon, deployed] = await Promise.all([
  counted,
  part(() => bodyOf(api.GET("/v1/admin/shards"))),
  part(() => bodyOf(api.GET("/v1/admin/queues"))),
  counted.then((read) => ("value" in read ? part(() => driftOf(read.value)) : read)),
  part(() => readCordon({ consul: connectConsul(stack.consul_http_addr) })),
  part(() => readRecord(connectConsul(stack.consul_http_addr))),
]);

/** The groups of workers that serve a queue; undefined if the jobs could not be read. */
function servedBy(queue: string): string | undefined {
  if (!("value" in jobs)) return undefined;
  const found = jobs.value.filter(
    ({ job, group }) => job === "workers" && (queuesOf(group as Profile) as string[]).includes(queue),
  );
  return found.map(({ group }) => group).join(", ") || "none";
}

const short = "value" in jobs ? jobs.value.filter(({ running, count }) => running < count) : [];
const healthy = [jobs, shards, queues, cordon].every((read) => "value" in read) && short.length === 0;

if (values.json) {
  const plain = <T>(read: { value: T } | { error: string }, pick: (value: T) => unknown) =>
    "value" in read ? pick(read.value) : read;
  console.log(
    JSON.stringify({
      stack: stack.stack,
      healthy,
      base_url: stack.base_url,
      jobs: plain(jobs, (value) => value),
      last_deploy: plain(deployed, (value) => value),
      shards: plain(shards, ({ data }) => data),
      cordoned: plain(cordon, (value) => value),
      queues: plain(queues, ({ data }) => data),
      drift: plain(drift, (value) => value),
    }),
  );
} else {
  const show = (title: string, text: string) => console.log(`${title}\n${text.replaceAll(/^/gm, "  ")}\n`);
  const rows = <T>(read: { value: T } | { error: string }, make: (value: T) => string[][]) =>
    "value" in read ? table(make(read.value)) : `unknown: ${read.error}`;
  console.log(`Stack ${stack.stack} at ${stack.base_url}\n`);
  show(
    "Jobs",
    rows(jobs, (all) => [
      ["job", "group", "running", "requested", "release", ""],
      ...all.map(({ job, group, running, count, starting, release }) => [
        job,
        group,
        `${running}`,
        `${count}`,
        release ?? "-",
        running < count ? (starting ? "starting" : "short") : "",
      ]),
    ]),
  );
  if ("error" in deployed) console.log(`The last deploy is unknown: ${deployed.error}\n`);
  else if (deployed.value !== null) console.log(`Last change: ${describeRecord(deployed.value)}\n`);
  show(
    "Shards",
    rows(shards, ({ data }) => [
      ["shard", "address", "health", "sessions", "open", "messages/min"],
      ...data.map((shard) => [
        `${shard.shard}`,
        shard.address ?? "-",
        shard.healthy ? "healthy" : "unavailable",
        `${shard.sessions ?? "-"}`,
        `${shard.sessions_open ?? "-"}`,
        `${shard.messages_per_minute ?? "-"}`,
      ]),
    ]),
  );
  const cordoned = "value" in cordon ? cordon.value.join(", ") : `unknown: ${cordon.error}`;
  if (cordoned !== "") show("Cordoned shards, which get no business", cordoned);
  show(
    "Queues",
    rows(queues, ({ data }) => [
      ["queue", "served by", "waiting", "active", "delayed", "dead", "oldest"],
      ...data.map((queue) => [
        queue.queue,
        servedBy(queue.queue) ?? queue.group,
        `${queue.waiting}`,
        `${queue.active}`,
        `${queue.delayed}`,
        `${queue.dead}`,
        queue.oldest_ms === null ? "-" : `${(queue.oldest_ms / 1000).toFixed(1)} s`,
      ]),
    ]),
  );
  if ("error" in drift) console.log(`Drift is unknown: ${drift.error}\n`);
  else if (drift.value.length > 0) {
    const lines = drift.value.map(({ what, cluster, file }) =>
      what === "num_shards"
        ? `num_shards is ${cluster} in Consul, but ${file} shards were requested: run the scale command again`
        : `${what}: ${cluster} in the cluster, ${file} in the job files (deploys keep ${cluster})`,
    );
    show("Drift", lines.join("\n"));
  }
  if (short.length > 0)
    console.log(`${short.length} group(s) run too few allocations; see: nomad job status ${short[0]!.job}`);
}
process.exit(healthy ? 0 : 1);
