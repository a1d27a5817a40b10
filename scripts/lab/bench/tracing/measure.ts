import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startCollector } from "../../../../lib/testing/collector.ts";
import { until } from "../../../../lib/testing/until.ts";
import { quantile } from "../../../cli/operator/table.ts";
import { startTogether } from "../../rig/cleanup.ts";
import type { OnStop } from "../../rig/cleanup.ts";
import { messageRequest } from "../../rig/customer_api.ts";
import { eachOf, makeBusinesses } from "../../rig/pairing.ts";
import { startPlatform } from "../../rig/platform.ts";
import type { Customer, Platform } from "../../rig/platform.ts";
import { measureCosts } from "../queues/costs.ts";

/** Settings of the services of each platform. */
const modes = {
  off: {},
  also_off: {},
  default: { traced: true },
  all: { traced: true, OTEL_TRACES_SAMPLER: "parentbased_always_on" },
} as const;
export type Mode = keyof typeof modes;

export type TracingPlan = {
  folder: string;
  messages: number;
  rounds: number;
  businesses: number;
  say: (line: string) => void;
};

export type TracingCosts = {
  /** CPU time of a message, ms: the median round. */
  cpuMs: Record<Mode, number>;
  /** CPU time beside that of `off`: the median of what the rounds gave, each beside its own `off`. */
  ratios: Record<Mode, number>;
  /** Spans that the collector got. */
  spans: Record<Mode, number>;
};

/** Concurrent requests. */
const connections = 32;
/** Processes whose time counts. The simulator stands for the world outside. */
const counted = ["api", "worker", "shard", "postgres", "pgbouncer", "redis"];

type Side = {
  mode: Mode;
  platform: Platform;
  customers: Customer[];
  deliveries: () => number;
  spans: () => number;
  cpuMs: number[];
};

export async function measureTracing(plan: TracingPlan): Promise<TracingCosts> {
  const { messages, rounds, say } = plan;
  const { sides, stop } = await startSides(plan);
  try {
    for (let round = 0; round <= rounds; round++) {
      // Each second round in reverse, so that a machine that warms up or slows down disturbs all alike.
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        const ms = await measureRound(side, messages);
        // The first round warms up.
        if (round > 0) side.cpuMs.push(ms);
        say(`${side.mode}, round ${round}: ${ms.toFixed(3)} ms of CPU a message`);
      }
    }
    const median = (values: number[]) => quantile(values, 0.5);
    const byMode = (value: (side: Side) => number) =>
      Object.fromEntries(sides.map((side) => [side.mode, value(side)])) as Record<Mode, number>;
    const off = sides[0]!.cpuMs;
    return {
      cpuMs: byMode(({ cpuMs }) => median(cpuMs)),
      ratios: byMode(({ cpuMs }) => median(cpuMs.map((ms, round) => ms / off[round]!))),
      spans: byMode(({ spans }) => spans()),
    };
  } finally {
    await stop();
  }
}

const startSides = ({ folder, businesses, say }: TracingPlan) =>
  startTogether(async (onStop) => {
    const sides: Side[] = [];
    for (const mode of Object.keys(modes) as Mode[]) {
      sides.push(await startSide(join(folder, mode), mode, businesses, onStop));
      say(`${mode}: ${businesses} businesses paired`);
    }
    return { sides };
  });

async function startSide(folder: string, mode: Mode, businesses: number, onStop: OnStop): Promise<Side> {
  await mkdir(folder);
  await chmod(join(folder, ".."), 0o755);
  const collector = startCollector();
  onStop(() => collector.stop());
  let deliveries = 0;
  const endpoint = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => {
      deliveries += 1;
      return new Response();
    },
  });
  onStop(() => endpoint.stop(true));
  const { traced, ...settings } = { traced: false, ...modes[mode] };
  const env: Record<string, string> = traced ? { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...settings } : {};
  const platform = await startPlatform({ folder, workers: [{ group: "all" }], durable: true, env, shard: { env } });
  onStop(() => platform.stop());
  const customers = await platform.enroll(makeBusinesses(businesses, 4));
  for (const { id } of customers)
    await platform.webhook(id, `http://127.0.0.1:${endpoint.port}/hook`, ["message.sent", "message.delivered"]);
  return { mode, platform, customers, deliveries: () => deliveries, spans: () => collector.spans.length, cpuMs: [] };
}

/** Sends messages over all businesses. Ends when the webhook has heard of each delivery receipt. */
async function measureRound({ platform, customers, deliveries }: Side, messages: number): Promise<number> {
  const before = deliveries();
  const { cpuMs } = await measureCosts(platform, async () => {
    await eachOf(Array.from({ length: messages }), connections, async (_, n) => {
      const customer = customers[n % customers.length]!;
      const to = customer.contacts[Math.floor(n / customers.length) % customer.contacts.length]!;
      const { path, ...request } = messageRequest(customer, to, `message ${n}`);
      const response = await fetch(platform.apis[0]!.url + path, request);
      if (response.status !== 202) throw new Error(`the API answered ${response.status}: ${await response.text()}`);
      await response.body?.cancel();
    });
    await until(() => deliveries() - before >= 2 * messages, {
      deadlineMs: 120_000,
      everyMs: 50,
      what: "the deliveries of both events of every message",
    });
    return messages;
  });
  return counted.reduce((sum, kind) => sum + (cpuMs[kind] ?? 0), 0);
}
