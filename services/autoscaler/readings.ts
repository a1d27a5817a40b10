import type { ConsulClient } from "../../lib/consul/client.ts";
import { deadline } from "../../lib/core/time.ts";

/** The metrics that decide, of one replica. */
export type Reading = {
  /** Where the replica answers; a new process at the same address begins its counters at 0. */
  address: string;
  /** Seconds, by this process's clock. */
  at: number;
  /** Processor seconds since the process started. */
  cpuSeconds: number | undefined;
  /** Wait of the oldest job by queue, in seconds. */
  oldestSeconds: ReadonlyMap<string, number>;
  streams: number | undefined;
};

/** prom-client collects the second with the first. */
const cpu = ["process_cpu_user_seconds_total", "process_cpu_system_seconds_total"];
const oldest = "prosaas_queue_oldest_seconds";
const streams = "prosaas_calls_streams";

const query = [...cpu, oldest, streams].map((name) => `name[]=${name}`).join("&");

/** A replica that is too busy to answer sooner counts as one that does not answer. */
const timeoutMs = 2_000;

export type ReadOptions = {
  consul: ConsulClient;
  service: string;
  metricsToken?: string | undefined;
};

/**
 * Reads the metrics of a service's replicas, from each one itself: with Prometheus in between, scaling would depend on
 * one node. Leaves out replicas that do not answer.
 */
export async function readReplicas({ consul, service, metricsToken }: ReadOptions): Promise<Reading[]> {
  const { body } = await consul.blockingGet(`/v1/health/service/${service}`, { index: 0 });
  const addresses = opsAddresses(body);
  const headers = new Headers(metricsToken === undefined ? {} : { authorization: `Bearer ${metricsToken}` });
  const read = addresses.map(async (address): Promise<Reading | null> => {
    try {
      const response = await fetch(`${address}/metrics?${query}`, { headers, signal: deadline(timeoutMs) });
      if (!response.ok) return null;
      return readingOf(address, performance.now() / 1000, await response.text());
    } catch {
      return null;
    }
  });
  return (await Promise.all(read)).filter((reading) => reading !== null);
}

type Entry = { Node: { Address: string }; Service: { Address?: string; Meta?: Record<string, string> | null } };

/** Also of replicas that fail their checks: the busiest may be among them. */
function opsAddresses(body: unknown): string[] {
  return ((body ?? []) as Entry[]).flatMap(({ Node, Service }) => {
    const port = Service.Meta?.["ops_port"];
    return port === undefined ? [] : [`http://${Service.Address || Node.Address}:${port}`];
  });
}

export function readingOf(address: string, at: number, text: string): Reading {
  const sum = (found: Sample[]) =>
    found.length === 0 ? undefined : found.reduce((total, { value }) => total + value, 0);
  return {
    address,
    at,
    cpuSeconds: sum(cpu.flatMap((name) => samples(text, name))),
    oldestSeconds: new Map(samples(text, oldest).map(({ labels, value }) => [queueOf(labels), value])),
    streams: sum(samples(text, streams)),
  };
}

type Sample = { labels: string; value: number };

const queueOf = (labels: string) => /\bqueue="([^"]*)"/.exec(labels)?.[1] ?? "";

/** The samples of a metric in the text format. Ours, because the parsers on npm are unmaintained. */
function samples(text: string, name: string): Sample[] {
  const lines = text.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.flatMap((line) => {
    const end = line.lastIndexOf(" ");
    const value = Number(line.slice(end + 1));
    return Number.isFinite(value) ? [{ labels: line.slice(name.length, end), value }] : [];
  });
}

/** The longest wait in `queues` that any replica reports; undefined if none knows these queues. */
export function oldestOf(readings: readonly Reading[], queues: readonly string[]): number | undefined {
  const known = readings.flatMap(({ oldestSeconds }) => queues.flatMap((queue) => oldestSeconds.get(queue) ?? []));
  return known.length === 0 ? undefined : Math.max(...known);
}
