import { parseArgs } from "node:util";
import { z } from "zod";
import { messageOf } from "../../lib/core/errors.ts";
import { bodyOf } from "../../lib/api-client/index.ts";
import { createNomad } from "../stack/nomad.ts";
import { adminApi } from "./admin_api.ts";
import { readStack } from "./stack.ts";
import { table } from "./table.ts";

const usage = `Usage: ./scripts/task status -- [--json]

Jobs with what runs and what is asked for, shards with their sessions, queue depths.
Exits 1 if a part could not be read or a job runs less than it should.`;

const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
});
if (values.help) {
  console.log(usage);
  process.exit(0);
}

const stack = await readStack();
const nomad = createNomad(stack.nomad_addr);
const api = await adminApi(stack);

const jobStub = z.object({ ID: z.string(), Type: z.string(), Status: z.string(), ParentID: z.string().nullish() });
const jobSpec = z.object({ TaskGroups: z.array(z.object({ Name: z.string(), Count: z.int() })), ParameterizedJob: z.unknown().nullish() });
const jobSummary = z.object({ Summary: z.record(z.string(), z.object({ Running: z.int(), Starting: z.int(), Queued: z.int() })) });

type Group = { job: string; group: string; type: string; running: number; count: number; starting: number };

async function groups(): Promise<Group[]> {
  const stubs = z.array(jobStub).parse(await nomad("GET", "/v1/jobs"));
  const services = stubs.filter((job) => job.Type === "service" && !job.ParentID);
  const all = await Promise.all(
    services.map(async ({ ID, Type }) => {
      const [spec, summary] = await Promise.all([nomad("GET", `/v1/job/${ID}`), nomad("GET", `/v1/job/${ID}/summary`)]);
      const { Summary } = jobSummary.parse(summary);
      return jobSpec.parse(spec).TaskGroups.map(({ Name, Count }) => ({
        job: ID,
        group: Name,
        type: Type,
        count: Count,
        running: Summary[Name]?.Running ?? 0,
        starting: (Summary[Name]?.Starting ?? 0) + (Summary[Name]?.Queued ?? 0),
      }));
    }),
  );
  return all.flat().toSorted((a, b) => a.job.localeCompare(b.job) || a.group.localeCompare(b.group));
}

/** A part of the answer, or why it could not be had: what can be read is shown even when the rest is down. */
async function part<T>(read: () => Promise<T>): Promise<{ value: T } | { error: string }> {
  try {
    return { value: await read() };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

const [jobs, shards, queues] = await Promise.all([
  part(groups),
  part(() => bodyOf(api.GET("/v1/admin/shards"))),
  part(() => bodyOf(api.GET("/v1/admin/queues"))),
]);

const short = "value" in jobs ? jobs.value.filter(({ running, count }) => running < count) : [];
const healthy = [jobs, shards, queues].every((read) => "value" in read) && short.length === 0;

if (values.json) {
  const plain = <T>(read: { value: T } | { error: string }, pick: (value: T) => unknown) => ("value" in read ? pick(read.value) : read);
  console.log(
    JSON.stringify({
      stack: stack.stack,
      healthy,
      base_url: stack.base_url,
      jobs: plain(jobs, (value) => value),
      shards: plain(shards, ({ data }) => data),
      queues: plain(queues, ({ data }) => data),
    }),
  );
} else {
  const show = (title: string, text: string) => console.log(`${title}\n${text.replaceAll(/^/gm, "  ")}\n`);
  const rows = <T>(read: { value: T } | { error: string }, make: (value: T) => string[][]) =>
    "value" in read ? table(make(read.value)) : `not known: ${read.error}`;
  console.log(`Stack ${stack.stack} at ${stack.base_url}\n`);
  show(
    "Jobs",
    rows(jobs, (all) => [
      ["job", "group", "running", "asked for", ""],
      ...all.map(({ job, group, running, count, starting }) => [
        job,
        group,
        `${running}`,
        `${count}`,
        running < count ? (starting ? "starting" : "short") : "",
      ]),
    ]),
  );
  show(
    "Shards",
    rows(shards, ({ data }) => [
      ["shard", "address", "health", "sessions", "open", "messages/min"],
      ...data.map((shard) => [
        `${shard.shard}`,
        shard.address ?? "-",
        shard.healthy ? "healthy" : "away",
        `${shard.sessions ?? "-"}`,
        `${shard.sessions_open ?? "-"}`,
        `${shard.messages_per_minute ?? "-"}`,
      ]),
    ]),
  );
  show(
    "Queues",
    rows(queues, ({ data }) => [
      ["queue", "worker", "waiting", "active", "delayed", "dead", "oldest"],
      ...data.map((queue) => [
        queue.queue,
        queue.group,
        `${queue.waiting}`,
        `${queue.active}`,
        `${queue.delayed}`,
        `${queue.dead}`,
        queue.oldest_ms === null ? "-" : `${(queue.oldest_ms / 1000).toFixed(1)} s`,
      ]),
    ]),
  );
  if (short.length > 0) console.log(`${short.length} group(s) run less than they should: nomad job status ${short[0]!.job}`);
}
process.exit(healthy ? 0 : 1);
