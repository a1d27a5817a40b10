import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Option } from "@commander-js/extra-typings";
import { wholeNumber } from "../../cli/arguments.ts";
import { keepMeasured } from "../../cli/capacity/measured.ts";
import { labCommand, publish, say } from "../command.ts";
import { rounded } from "../figures.ts";
import { endOnSignals } from "../rig/child.ts";
import { redisServer } from "../rig/servers.ts";
import { measureCosts } from "./queues/costs.ts";
import { measureEmptyJobs } from "./queues/empty_jobs.ts";
import { measureEndToEnd } from "./queues/end_to_end.ts";
import type { EndToEnd } from "./queues/end_to_end.ts";
import { startHeavyLoad } from "./queues/heavy_load.ts";
import { probe } from "./queues/probes.ts";
import type { Latency } from "./queues/probes.ts";
import { setStage } from "./queues/stage.ts";
import type { Stage } from "./queues/stage.ts";

const parts = ["jobs", "throughput", "isolation"] as const;
const values = labCommand(
  "bench:queues",
  `Measure the workers in three parts.

jobs: jobs that do nothing, beside bare BullMQ. throughput: messages a minute from the API to their
delivery tick, and the costs of each in CPU time and bytes. isolation: latency of an urgent message,
on an idle platform and during a broadcast with media work and a webhook endpoint that hangs. Starts
every server it needs and stops all of them.`,
)
  .option("--jobs <n>", "empty jobs of a round", wholeNumber(), 8000)
  .option("--messages <n>", "messages from end to end", wholeNumber(), 10_000)
  .option("--businesses <n>", "businesses", wholeNumber(), 50)
  .option("--recipients <n>", "recipients of the broadcast", wholeNumber(), 100_000)
  .option("--per-minute <n>", "pace of the broadcast", wholeNumber(), 6000)
  .option("--pictures <n>", "jobs of the queue media during the broadcast", wholeNumber(), 10_000)
  .option("--seconds <n>", "length of each half of part isolation", wholeNumber(), 25)
  .option("--keep", "save the costs of a message for task capacity (scripts/cli/capacity/measured.json)", false)
  .addOption(new Option("--only <part>", "run one part").choices(parts))
  .parse()
  .opts();

const wants = (part: (typeof parts)[number]) => values.only === undefined || values.only === part;
/** Businesses whose probes are measured, including the broadcaster. */
const probed = 10;
/** Different pictures of the media load. */
const differentPictures = 200;

endOnSignals();
const folder = await mkdtemp(join(tmpdir(), "prosaas-bench-"));
const result: Record<string, unknown> = {};
try {
  if (wants("jobs")) await measureJobs();
  if (wants("throughput") || wants("isolation")) await measureMessages();
  await publish("bench:queues", values, result);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measureJobs(): Promise<void> {
  const redis = await redisServer(folder);
  await redis.start();
  try {
    const { jobsPerS, bareJobsPerS, ratio, loggedJobsPerS, loggedRatio } = await measureEmptyJobs(
      `redis://${redis.address}`,
      {
        jobs: values.jobs,
        rounds: 15,
      },
    );
    result["jobs_per_s"] = Math.round(jobsPerS);
    result["bare_jobs_per_s"] = Math.round(bareJobsPerS);
    result["ratio_to_bare"] = rounded(ratio);
    result["logged_jobs_per_s"] = Math.round(loggedJobsPerS);
    result["logged_ratio_to_bare"] = rounded(loggedRatio);
    say(
      `empty jobs: ${Math.round(jobsPerS)}/s, with a log line each ${Math.round(loggedJobsPerS)}/s, ` +
        `bare BullMQ ${Math.round(bareJobsPerS)}/s`,
    );
  } finally {
    await redis.stop();
  }
}

/** Measures the rate from end to end, and what each message costs. */
async function measureThroughput(stage: Stage): Promise<EndToEnd> {
  let ended: EndToEnd | undefined;
  const costs = await measureCosts(stage.platform, async () => {
    ended = await measureEndToEnd(stage, values.messages, "message");
    return values.messages;
  });
  const cpuOf = (kind: string) => rounded(costs.cpuMs[kind] ?? 0, 3);
  const path = {
    cpu_ms_per_msg: {
      api: cpuOf("api"),
      worker: cpuOf("worker"),
      shard: cpuOf("shard"),
      postgres: cpuOf("postgres"),
      pgbouncer: cpuOf("pgbouncer"),
      redis: cpuOf("redis"),
      nginx: cpuOf("nginx"),
    },
    wal_kb_per_msg: rounded(costs.walKb, 1),
    table_kb_per_msg: rounded(costs.tableKb, 1),
    network_kb_per_msg: rounded(costs.networkKb, 1),
  };
  Object.assign(result, path);
  if (values.keep) await keepMeasured("path", { end_to_end_per_min: Math.round(ended!.perMinute), ...path });
  return ended!;
}

function latencyLine({ p50Ms, p99Ms, maxMs }: Latency): string {
  return `p50 ${Math.round(p50Ms)} ms  p99 ${Math.round(p99Ms)} ms  max ${Math.round(maxMs)} ms`;
}

async function measureMessages(): Promise<void> {
  const stage = await setStage({
    folder,
    businesses: values.businesses,
    contacts: 4,
    pictures: wants("isolation") ? differentPictures : 0,
  });
  const { customers } = stage;
  try {
    say(`${customers.length} businesses paired`);
    // Warm-up: the first message to each contact creates a Signal session, and code is not compiled yet.
    await measureEndToEnd(stage, customers.length * 8, "warm");
    if (wants("throughput")) {
      const { perMinute, acceptedPerMinute } = await measureThroughput(stage);
      result["end_to_end_per_min"] = Math.round(perMinute);
      say(`end to end: ${Math.round(perMinute)}/min, accepted by the API at ${Math.round(acceptedPerMinute)}/min`);
    }
    if (wants("isolation")) {
      const some = customers.slice(0, probed);
      const seconds = values.seconds;
      const idle = await probe(stage, some, seconds, "idle");
      say(`idle:   ${latencyLine(idle)}`);
      const load = await startHeavyLoad(stage, some[0]!, some.slice(1), {
        recipients: values.recipients,
        perMinute: values.perMinute,
        pictures: values.pictures,
      });
      const before = await load.progress();
      const loaded = await probe(stage, some, seconds, "loaded");
      const after = await load.progress();
      say(`loaded: ${latencyLine(loaded)}`);
      const [sent, fetched, hung] = [
        after.sent - before.sent,
        after.fetched - before.fetched,
        after.hanging - before.hanging,
      ];
      say(`during the probes: ${sent} broadcast messages sent, ${fetched} pictures fetched, ${hung} deliveries hung`);
      await load.stop();
      result["high_idle_p99_ms"] = Math.round(idle.p99Ms);
      result["high_loaded_p50_ms"] = Math.round(loaded.p50Ms);
      result["high_loaded_p99_ms"] = Math.round(loaded.p99Ms);
    }
  } finally {
    await stage.stop();
  }
}
