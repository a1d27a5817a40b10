import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepMeasured } from "../../cli/capacity/measured.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, say } from "../command.ts";
import { rounded } from "../figures.ts";
import { endOnSignals } from "../rig/child.ts";
import { makeBusinesses } from "../rig/pairing.ts";
import { measureDurability } from "./shard/measure_durability.ts";
import { measureRaw } from "./shard/measure_raw.ts";
import { measureShard } from "./shard/measure_shard.ts";
import type { Plan } from "./shard/plan.ts";

const values = labCommand(
  "bench:shard",
  `Compare a durable shard with bare Baileys that keeps its keys in memory.

Both get the same settings, sessions, contacts and messages, each against a simulator of its own.
Then kills the shard in the middle of a batch and compares every message by content. Starts every
server it needs and stops all of them.

With --durability it compares the settings of WA_DURABILITY instead: a shard for each, in rounds
that alternate between them.`,
)
  .option("--keep", "save the figures for task capacity (scripts/cli/capacity/measured.json)", false)
  .option("--sessions <n>", "WhatsApp sessions", wholeNumber(), 200)
  .option("--messages <n>", "messages of the measured round; a quarter as many warm up", wholeNumber(), 20_000)
  .option("--contacts <n>", "contacts of each session", wholeNumber(), 4)
  .option("--connections <n>", "batches of 50 in flight", wholeNumber(), 32)
  .option("--steady <seconds>", "single messages at a quarter of the rate, for p50 and p99", wholeNumber(), 5)
  .option("--durability", "compare WA_DURABILITY local, copied and required", false)
  .option("--rounds <n>", "rounds of each setting with --durability", wholeNumber(), 3)
  .parse()
  .opts();
const { keep, sessions, messages, contacts, connections, steady: steadyS } = values;

const folder = await mkdtemp(join(tmpdir(), "prosaas-bench-"));
endOnSignals();
const plan: Plan = { businesses: makeBusinesses(sessions, contacts), messages, folder, say };
try {
  await publish("bench:shard", values, values.durability ? await compareDurabilities() : await compareWithRaw());
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function compareDurabilities(): Promise<Record<string, unknown>> {
  const { rounds } = values;
  const measured = await measureDurability({ sessions, messages, contacts, connections, rounds, folder, say });
  const { perMinute, cpuMsPerMessage, comparison } = measured;
  return {
    sessions,
    messages,
    local_msgs_per_min: Math.round(perMinute.local),
    copied_msgs_per_min: Math.round(perMinute.copied),
    required_msgs_per_min: Math.round(perMinute.required),
    copied_ratio: rounded(perMinute.copied / perMinute.local),
    required_ratio: rounded(perMinute.required / perMinute.local),
    local_cpu_ms_per_msg: rounded(cpuMsPerMessage.local, 3),
    copied_cpu_ms_per_msg: rounded(cpuMsPerMessage.copied, 3),
    required_cpu_ms_per_msg: rounded(cpuMsPerMessage.required, 3),
    lost: comparison.lost,
    duplicates: comparison.duplicates,
    disordered_chats: comparison.disordered,
  };
}

async function compareWithRaw(): Promise<Record<string, unknown>> {
  const raw = await measureRaw(plan);
  const shard = await measureShard(plan, { connections, steadyS });
  const result = {
    sessions,
    messages: shard.comparison.sent,
    open_s: rounded(shard.openS),
    reopen_after_kill_s: rounded(shard.reopenS),
    restart_s: rounded(shard.restartS),
    raw_open_s: rounded(raw.openS),
    rss_mb: Math.round(shard.rssMb),
    rss_later_mb: Math.round(shard.rssLaterMb),
    kb_per_session: Math.round(((shard.rssMb - shard.idleMb) * 1024) / sessions),
    raw_kb_per_session: Math.round(raw.kbPerSession),
    msgs_per_min: Math.round(shard.perMinute),
    raw_msgs_per_min: Math.round(raw.perMinute),
    ratio_to_raw: rounded(shard.perMinute / raw.perMinute),
    cpu_ms_per_msg: rounded(shard.cpuMsPerMessage, 3),
    raw_cpu_ms_per_msg: rounded(raw.cpuMsPerMessage, 3),
    cpu_ratio_to_raw: rounded(raw.cpuMsPerMessage / shard.cpuMsPerMessage),
    p50_ms: rounded(shard.p50Ms, 1),
    p99_ms: rounded(shard.p99Ms, 1),
    batch_p50_ms: rounded(shard.batchP50Ms, 1),
    lost: shard.comparison.lost,
    duplicates: shard.comparison.duplicates,
    disordered_chats: shard.comparison.disordered,
  };
  if (keep) {
    await keepMeasured("shard", {
      sessions,
      idle_mb: Math.round(shard.idleMb),
      kb_per_session: result.kb_per_session,
      msgs_per_min: result.msgs_per_min,
      cpu_ms_per_msg: result.cpu_ms_per_msg,
      p50_ms: result.p50_ms,
      reopen_after_kill_s: result.reopen_after_kill_s,
    });
  }
  return result;
}
