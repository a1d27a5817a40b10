import { messageOf } from "../../../../lib/core/errors.ts";
import { until } from "../../../../lib/testing/until.ts";
import { bounds } from "./breaches.ts";
import type { Breaches } from "./breaches.ts";
import { Attack, randomOf } from "./kind.ts";
import type { PlannedKind } from "./kinds.ts";
import type { Stage } from "./stage.ts";
import type { Watch } from "./watch.ts";

/** Longest wait for the backlog of a kind before the next one starts. */
const settleMs = 20_000;

export type CampaignOptions = { stage: Stage; watch: Watch; breaches: Breaches; seed: number };

/** The report of kinds that ran together. */
export type Report = { name: string; from: number; to: number; attacks: number; blockMs: number };

/** Runs kinds of attack in parallel; only a kind that runs alone can be blamed for certain. */
export async function runKinds(
  kinds: readonly PlannedKind[],
  { stage, watch, breaches, seed }: CampaignOptions,
): Promise<Report> {
  const from = Date.now();
  const name = kinds.map((kind) => kind.name).join(" + ");
  const attacks = kinds.reduce((sum, kind) => sum + kind.attacks, 0);
  const redisBefore = await redisBytes(stage);
  await Promise.all(kinds.map((kind) => runAttacks(kind, stage, seed, breaches)));
  if (kinds.some((kind) => kind.settles)) await settled(stage);

  const blockMs = await judge(name, { watch, breaches });
  const redisKb = ((await redisBytes(stage)) - redisBefore) / 1024 / attacks;
  // With few attacks a buffer that Redis grew by itself would count.
  if (attacks >= 20 && redisKb > bounds.redisKbPerAttack)
    breaches.add({ bound: "redis_kb", kind: name, what: `${redisKb.toFixed(0)} KB of Redis for each attack` });
  return { name, from, to: Date.now(), attacks, blockMs };
}

/** Blames `name` for every breach since the last call; returns the longest block, ms. */
export async function judge(
  name: string,
  { watch, breaches }: Pick<CampaignOptions, "watch" | "breaches">,
): Promise<number> {
  const blocks = await watch.takeBlocks();
  for (const [service, ms] of blocks) {
    if (ms > bounds.eventLoopBlockMs)
      breaches.add({ bound: "event_loop_block_ms", kind: name, what: `${service} was blocked for ${ms} ms` });
  }
  const seen = watch.take();
  for (const dead of seen.deaths) breaches.add({ bound: "process_deaths", kind: name, what: `${dead} died` });
  for (const { name: large, mb, budgetMb } of seen.overBudget)
    breaches.add({ bound: "rss_mb", kind: name, what: `${large} took ${mb} MB of ${budgetMb}` });
  if (seen.diskMb > bounds.diskMb)
    breaches.add({ bound: "disk_mb", kind: name, what: `${seen.diskMb.toFixed(1)} MB on disk` });
  return Math.max(0, ...blocks.values());
}

/** All attacks of a kind, `width` at a time. */
async function runAttacks(kind: PlannedKind, stage: Stage, seed: number, breaches: Breaches): Promise<void> {
  const turns = Array.from({ length: kind.attacks }, (_, n) => n).values();
  const lane = async () => {
    for (const n of turns) {
      const fault = await attackOnce(kind, n, stage, seed);
      if (fault !== undefined) breaches.add({ bound: "answer", kind: kind.name, what: `attack ${n}: ${fault}` });
    }
  };
  await Promise.all(Array.from({ length: Math.min(kind.width, kind.attacks) }, lane));
}

/** Returns the fault, or undefined if the platform resisted. */
async function attackOnce(kind: PlannedKind, n: number, { target }: Stage, seed: number): Promise<string | undefined> {
  const random = randomOf(seed, kind.name, n);
  const attack = new Attack(target, random, kind.budgetMs);
  const over = Promise.withResolvers<string>();
  const timer = setTimeout(() => over.resolve(`not over within ${2 * kind.budgetMs} ms`), 2 * kind.budgetMs);
  try {
    return await Promise.race([kind.run(attack, random), over.promise]);
  } catch (error) {
    // The edge may refuse a connection to protect itself.
    return isClosed(error) ? undefined : messageOf(error);
  } finally {
    clearTimeout(timer);
    attack.end();
  }
}

const closings = /ECONNRESET|ECONNREFUSED|EPIPE|closed before it was open|socket disconnected|alert/i;
const isClosed = (error: unknown) => closings.test(`${(error as { code?: string }).code ?? ""} ${messageOf(error)}`);

async function settled({ target }: Stage): Promise<void> {
  await until(async () => (await target.backlog()) === 0, {
    deadlineMs: settleMs * target.patience,
    everyMs: 100,
  }).catch(() => {});
}

async function redisBytes({ redis }: Stage): Promise<number> {
  const text = await redis.info("memory").catch(() => "");
  return Number(/^used_memory:(\d+)/m.exec(text)?.[1] ?? 0);
}
