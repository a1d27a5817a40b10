import { kvGet } from "../../lib/consul/client.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { messageOf } from "../../lib/core/errors.ts";
import { queuesOf } from "../../lib/queues/definitions.ts";
import type { Profile } from "../../lib/queues/definitions.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import {
  controlKey,
  holdOf,
  lastChangeOf,
  nameOf,
  noControl,
  parseControl,
  parseJob,
  parseScaleStatus,
  scaledJobs,
} from "../../lib/scaling/index.ts";
import type { Control, ScaledGroup, ScaleStatus } from "../../lib/scaling/index.ts";
import { CpuRates } from "./cpu_rates.ts";
import { decide, noMemory } from "./decide.ts";
import type { Decision, Memory } from "./decide.ts";
import type { AutoscalerMetrics } from "./metrics.ts";
import { NomadFailure } from "./nomad.ts";
import { pressuresOf } from "./pressure.ts";
import { oldestOf, readReplicas } from "./readings.ts";
import type { Reading } from "./readings.ts";
import { setCount } from "./scale.ts";
import type { ScaleDeps } from "./scale.ts";

export type AutoscalerDeps = ScaleDeps & {
  consul: ConsulClient;
  metricsToken?: string | undefined;
  logger: Logger;
  metrics: AutoscalerMetrics;
};

type Allocation = { TaskGroup: string; DesiredStatus: string; ClientStatus: string };

/** The rounds of one active autoscaler. Its memory delays removals only, so that a successor starts without one. */
export class Rounds {
  readonly #deps: AutoscalerDeps;
  readonly #memories = new Map<string, Memory>();
  readonly #cores = new CpuRates();
  /** The last line about each group, without its figures, to log it once. */
  readonly #logged = new Map<string, string>();

  constructor(deps: AutoscalerDeps) {
    this.#deps = deps;
  }

  /** Decides for every group of the jobs that scale. A fault of one job leaves the others alone. */
  async run(): Promise<void> {
    const { consul, logger, metrics } = this.#deps;
    const control = await readControl(consul);
    const seen = new Set<string>();
    const addresses = new Set<string>();
    for (const job of scaledJobs) {
      try {
        await this.#runJob(job, control, seen, addresses);
        this.#logged.delete(faultOf(job));
      } catch (error) {
        metrics.failed(job);
        const message = messageOf(error);
        if (this.#isNew(faultOf(job), message)) logger.error({ job, error: message }, "the job cannot be scaled");
        this.#leaveUndecided(job, seen);
      }
    }
    metrics.keepOnly(seen);
    metrics.looked();
    this.#cores.keepOnly(addresses);
  }

  async #runJob(job: string, control: Control, seen: Set<string>, addresses: Set<string>): Promise<void> {
    const { nomad, consul, metricsToken } = this.#deps;
    // The job is read first: its index then is no newer than what the decision is made from.
    const body = await orMissing(nomad("GET", `/v1/job/${job}`));
    if (body === null) return;
    const { modifyIndex, groups } = parseJob(body);
    const [status, allocations] = await Promise.all([
      nomad("GET", `/v1/job/${job}/scale`).then(parseScaleStatus),
      nomad("GET", `/v1/job/${job}/allocations`) as Promise<Allocation[]>,
    ]);
    for (const group of groups) seen.add(nameOf(group));
    for (const group of groups) {
      const name = nameOf(group);
      if (typeof group.policy === "string") throw new Error(`${name}: ${group.policy}`);
      const readings = await readReplicas({ consul, service: group.service, metricsToken });
      for (const { address } of readings) addresses.add(address);
      const draining = allocations.filter(
        ({ TaskGroup, DesiredStatus, ClientStatus }) =>
          TaskGroup === group.group && DesiredStatus === "stop" && ClientStatus === "running",
      ).length;
      const known = status.get(group.group) ?? { running: 0, events: [] };
      // The API knows all queues: workers that hang do not report that their jobs wait.
      const queues = job === "workers" ? queuesOf(group.group as Profile) : [];
      const others = queues.length === 0 ? [] : await readReplicas({ consul, service: "prosaas-api", metricsToken });
      const oldestSeconds = oldestOf([...readings, ...others], queues);
      const decision = this.#decide(group, { status: known, control, readings, oldestSeconds, draining });
      const isSet = await this.#apply(group, decision, { modifyIndex, control });
      // The next group's index would be refused.
      if (isSet) return;
    }
  }

  #decide(
    group: ScaledGroup,
    now: {
      status: ScaleStatus;
      control: Control;
      readings: readonly Reading[];
      oldestSeconds: number | undefined;
      draining: number;
    },
  ): Decision {
    const policy = group.policy as Exclude<ScaledGroup["policy"], string>;
    const { running, events } = now.status;
    const name = nameOf(group);
    const pressures = pressuresOf(policy, group.count, {
      oldestSeconds: now.oldestSeconds,
      cores: this.#cores.observe(now.readings),
      streams: now.readings.map(({ streams }) => streams),
    });
    const hold = holdOf(events, { holdMs: policy.holdMs, resumedAt: now.control.resumedAt }, Date.now());
    const decision = decide(
      {
        count: group.count,
        min: Math.min(group.max, Math.max(group.min, policy.keep)),
        max: group.max,
        cooldownMs: policy.cooldownMs,
        calmMs: policy.calmMs,
        changedMsAgo: lastChangeOf(events, Date.now()),
        hold,
        pressures,
        running,
        answered: now.readings.length,
        draining: now.draining,
      },
      this.#memories.get(name) ?? noMemory,
      performance.now(),
    );
    this.#memories.set(name, decision.memory);
    const at = performance.now();
    const before = this.#deps.metrics.group(name);
    this.#deps.metrics.set(name, {
      count: group.count,
      wanted: decision.count,
      isHeld: hold !== null,
      decidedAt: pressures.length > 0 ? at : (before?.decidedAt ?? at),
      appliedAt: decision.count === group.count ? at : (before?.appliedAt ?? at),
    });
    return decision;
  }

  /** The groups of a job that failed stay as they are known; the alert follows how long. */
  #leaveUndecided(job: string, seen: Set<string>): void {
    const { metrics } = this.#deps;
    const known = [...this.#memories.keys()].filter((name) => name.split("/")[0] === job);
    for (const name of known.length === 0 ? [job] : known) {
      seen.add(name);
      const at = performance.now();
      if (metrics.group(name) === undefined)
        metrics.set(name, { count: 0, wanted: 0, isHeld: false, decidedAt: at, appliedAt: at });
    }
  }

  /** True if the count was changed. */
  async #apply(
    group: ScaledGroup,
    { count: wanted, reason }: Decision,
    { modifyIndex, control }: { modifyIndex: number; control: Control },
  ): Promise<boolean> {
    const { logger, metrics } = this.#deps;
    const name = nameOf(group);
    const line = { group: name, count: group.count, wanted, reason };
    if (wanted === group.count) {
      if (this.#isNew(name, reason)) logger.info(line, "the count stays");
      return false;
    }
    const { job, group: of } = group;
    const obstacle = control.paused
      ? "the autoscaler is paused"
      : await setCount(this.#deps, { job, group: of, count: wanted, reason, modifyIndex });
    if (obstacle !== null) {
      // Paused is a decision of an operator, and no fault.
      if (control.paused) metrics.set(name, { ...metrics.group(name)!, appliedAt: performance.now() });
      if (this.#isNew(name, obstacle)) logger.info({ ...line, obstacle }, "not scaled now");
      return false;
    }
    metrics.changed(name, wanted > group.count ? "up" : "down");
    metrics.set(name, { ...metrics.group(name)!, count: wanted, appliedAt: performance.now() });
    this.#logged.delete(name);
    logger.info(line, "scaled");
    return true;
  }

  #isNew(name: string, text: string): boolean {
    const kind = text.replaceAll(/[\d.]+/g, "0");
    if (this.#logged.get(name) === kind) return false;
    this.#logged.set(name, kind);
    return true;
  }
}

/** The key of a job's last fault among the logged lines, which are else those of groups. */
const faultOf = (job: string) => `fault of ${job}`;

async function readControl(consul: ConsulClient): Promise<Control> {
  const entry = await kvGet(consul, controlKey);
  if (entry === null) return noControl;
  const control = parseControl(entry.value);
  if (control === null)
    throw new Error(`${controlKey} in Consul is damaged: task autoscale -- --resume writes it again`);
  return control;
}

async function orMissing(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NomadFailure && error.status === 404) return null;
    throw error;
  }
}
