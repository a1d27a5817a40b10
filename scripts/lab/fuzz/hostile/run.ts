import { messageOf } from "../../../../lib/core/errors.ts";
import { until } from "../../../../lib/testing/until.ts";
import { quantile } from "../../../cli/operator/table.ts";
import { createCpuShares } from "../../rig/cpu_shares.ts";
import { Breaches, bounds } from "./breaches.ts";
import type { Breach } from "./breaches.ts";
import { cpuShares, memoryBudgets } from "./budgets.ts";
import { judge, runKinds } from "./campaign.ts";
import type { Report } from "./campaign.ts";
import { sampleCpu } from "../../rig/cpu.ts";
import type { CpuSamples, ProcessGroup } from "../../rig/cpu.ts";
import { prepareBombs } from "./files.ts";
import type { PlannedKind } from "./kinds.ts";
import { treeOf } from "../../rig/proc.ts";
import { fillRedis } from "./redis_full.ts";
import type { FullRedis } from "./redis_full.ts";
import { setStage } from "./stage.ts";
import type { Stage } from "./stage.ts";
import { tailReport } from "./tail.ts";
import type { TimedMessage } from "./tail.ts";
import { startTenant } from "./tenant.ts";
import type { TenantProcess } from "./tenant.ts";
import { watchProcesses } from "./watch.ts";

export type HostileOptions = {
  folder: string;
  plan: readonly PlannedKind[];
  seed: number;
  /** Seconds for which the other tenant is measured without attacks. */
  quietS: number;
  /** Kinds that run in parallel; with 1 the kind that broke a bound is known. */
  together?: number;
  /** Factor of the attackers' waits. */
  patience?: number;
  say: (line: string) => void;
};

export type HostileResult = {
  attacks: number;
  kinds: number;
  process_deaths: number;
  other_tenant_failed: number;
  other_tenant_p99_ms: number;
  quiet_p99_ms: number;
  event_loop_block_ms_max: number;
  rss_mb_max: Record<string, number>;
  disk_mb_max: number;
  redis_full_recovered: boolean;
  /** Every process had the CPU share of its job file, and the attackers what that left. */
  cpu_shares: boolean;
  seed: number;
  broken: (Breach & { times: number })[];
};

/** Attacks the platform with every kind of the plan while another tenant uses it. */
export async function runHostile({
  folder,
  plan,
  seed,
  quietS,
  together = 1,
  patience = 1,
  say,
}: HostileOptions): Promise<HostileResult> {
  if (plan.some(({ name }) => name.includes("bomb"))) await prepareBombs();
  const stage = await setStage(folder, patience);
  const closers: (() => unknown)[] = [() => stage.stop()];
  try {
    const { httpsPort } = stage.target;
    const { id, key, contacts, number } = stage.bystander;
    const tenant = startTenant(folder, {
      httpsPort,
      id,
      key,
      contacts,
      number,
      simulatorUrl: stage.platform.simulator.url,
    });
    closers.push(() => tenant.stop());
    await tenant.ready();
    const watch = watchProcesses({
      processes: stage.processes,
      budgets: await memoryBudgets(),
      folders: stage.folders,
    });
    closers.push(() => watch.stop());
    const groups = [
      ...stage.processes.map(({ name, pid }) => ({ name, pids: () => treeOf(pid()) })),
      { name: "attackers", pids: () => [process.pid] },
      { name: "tenant", pids: () => [tenant.pid] },
    ];
    const shares = await applyShares(groups, say);
    closers.unshift(() => shares?.remove());
    const samples = sampleCpu(groups, shares?.assign);
    closers.push(() => samples.stop());
    const breaches = new Breaches(say);

    // Warm-up: the first requests of a process run code that is not compiled yet.
    await until(() => tenant.posts.length >= 5, { deadlineMs: 60_000, what: "the tenant's first messages" });
    const quietFrom = Date.now();
    await until(() => Date.now() - quietFrom > quietS * 1000, { deadlineMs: quietS * 2000, everyMs: 100 });
    await watch.takeBlocks();
    watch.take();
    say(`quiet for ${quietS} s; ${plan.length} kinds follow`);

    const reports: Report[] = [];
    const attackedFrom = Date.now();
    let full: FullRedis | undefined;
    for (let n = 0; n < plan.length; n += together) {
      if (full === undefined && n >= Math.floor(plan.length / 2)) {
        full = await fillRedis(stage);
        await judge("redis-full", { watch, breaches });
        say(
          `Redis was full for ${full.freedAt - full.from} ms, ` +
            (full.recoveredAt === null ? "no recovery" : `recovered ${full.recoveredAt - full.freedAt} ms later`),
        );
      }
      const report = await runKinds(plan.slice(n, n + together), { stage, watch, breaches, seed });
      reports.push(report);
      const took = ((report.to - report.from) / 1000).toFixed(1);
      say(
        `${String(Math.min(n + together, plan.length)).padStart(3)}/${plan.length}  ${report.name.padEnd(36)} ` +
          `${report.attacks} attacks  ${took} s  block ${report.blockMs} ms`,
      );
    }
    if (full?.recoveredAt === null)
      breaches.add({ bound: "redis_full_recovered", kind: "redis-full", what: full.missing });
    const other = await accountOf({ stage, tenant, quietFrom, attackedFrom, full, reports, breaches, samples, say });
    const broken = breaches.list();
    return {
      attacks: reports.reduce((sum, { attacks }) => sum + attacks, 0),
      kinds: plan.length,
      process_deaths: broken
        .filter(({ bound }) => bound === "process_deaths")
        .reduce((sum, { times }) => sum + times, 0),
      ...other,
      event_loop_block_ms_max: Math.max(...reports.map(({ blockMs }) => blockMs)),
      rss_mb_max: watch.rssMbMax,
      disk_mb_max: watch.diskMbMax(),
      redis_full_recovered: full !== undefined && full.recoveredAt !== null,
      cpu_shares: shares !== undefined,
      seed,
      broken,
    };
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}

/** Undefined where control groups are not available: the attackers then take CPU time from the platform. */
async function applyShares(groups: readonly ProcessGroup[], say: (line: string) => void) {
  try {
    return createCpuShares(await cpuShares(groups.map(({ name }) => name)));
  } catch (error) {
    say(`no CPU shares, so that attackers and platform compete: ${messageOf(error)}`);
    return undefined;
  }
}

type Account = {
  stage: Stage;
  tenant: TenantProcess;
  quietFrom: number;
  attackedFrom: number;
  full: FullRedis | undefined;
  reports: readonly Report[];
  breaches: Breaches;
  samples: CpuSamples;
  say: (line: string) => void;
};

/** A second for the edge to notice the recovery, and one for a request in flight. */
const graceMs = 2_000;

/** Evaluates the other tenant: its call, and each message from its due time to WhatsApp's acknowledgement. */
async function accountOf(account: Account) {
  const { stage, tenant, quietFrom, attackedFrom, full, reports, breaches, samples, say } = account;
  const over = Date.now();
  const posts = tenant.posts.filter(({ due }) => due >= quietFrom && due <= over - 1_000);
  const sentAt = await acknowledged(
    stage,
    posts.flatMap(({ id }) => id ?? []),
  );
  const during = (at: number) => reports.find(({ from, to }) => at >= from && at <= to)?.name ?? "redis-full";
  let failed = 0;
  const fail = (at: number, what: string) => {
    failed += 1;
    breaches.add({ bound: "other_tenant_failed", kind: during(at), what });
  };
  const whileFull = (at: number) => full !== undefined && at >= full.from && at <= (full.recoveredAt ?? Infinity);
  const refusable = (at: number) => full !== undefined && at >= full.from && at <= full.freedAt + graceMs;
  const [quiet, attacked]: [TimedMessage[], TimedMessage[]] = [[], []];
  for (const { due, status, id, ms } of posts) {
    const sent = id === undefined ? undefined : sentAt.get(id);
    if (status === 503 && refusable(due)) continue;
    if (status !== 202) fail(due, `a message was answered ${status || "not at all"} after ${ms} ms`);
    else if (sent === undefined) fail(due, "a message that was accepted was not sent");
    else if (due < attackedFrom) quiet.push({ at: due, ms: sent - due, apiMs: ms, kind: "none" });
    else if (!whileFull(due)) attacked.push({ at: due, ms: sent - due, apiMs: ms, kind: during(due) });
  }
  for (const { at, what } of tenant.callFailures) if (at >= quietFrom) fail(at, what);

  for (const messages of [quiet, attacked]) for (const line of tailReport(messages, samples)) say(line);
  const p99Of = (messages: readonly TimedMessage[]) =>
    quantile(
      messages.map(({ ms }) => ms),
      0.99,
    );
  const [quietP99, p99] = [p99Of(quiet), p99Of(attacked)];
  if (p99 > bounds.slowdown * quietP99) {
    for (const { at, ms } of attacked.filter((one) => one.ms >= p99))
      breaches.add({
        bound: "other_tenant_p99_ms",
        kind: during(at),
        what: `a message took ${Math.round(ms)} ms, ${Math.round(quietP99)} ms without attacks`,
      });
  }
  return { other_tenant_failed: failed, other_tenant_p99_ms: Math.round(p99), quiet_p99_ms: Math.round(quietP99) };
}

/** Times of WhatsApp's acknowledgement by id; omits messages without one after a minute. */
async function acknowledged({ platform }: Stage, ids: string[]): Promise<Map<string, number>> {
  const read = async () => {
    const rows = await platform.owner<{ id: string; sent_ms: number }[]>`
      select id, (extract(epoch from sent_at) * 1000)::float8 as sent_ms
      from messages where id = any(${ids}::uuid[]) and sent_at is not null`;
    return new Map(rows.map((row) => [row.id, row.sent_ms]));
  };
  await until(async () => (await read()).size === ids.length, { deadlineMs: 60_000, everyMs: 250 }).catch(() => {});
  return read();
}
