import { hostname } from "node:os";
import { z } from "zod";
import { kvGet, kvPut } from "../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import type { JobPlan } from "./plan.ts";

const key = "prosaas/deploys/last";

const recordSchema = z.object({
  kind: z.enum(["deploy", "rollback"]),
  at: z.iso.datetime(),
  host: z.string(),
  /** False while it runs, and after an interruption or a failure. */
  done: z.boolean(),
  /** The jobs that it changes: their releases before and after, and Nomad's version of each before. */
  jobs: z.record(
    z.string(),
    z.object({ from: z.string().nullable(), to: z.string().nullable(), version: z.int().nullable() }),
  ),
});

/** The last deploy or rollback of a cluster by these commands; `nomad job run` leaves no record. */
export type DeployRecord = z.infer<typeof recordSchema>;

/** Null if there was none, or one of another form. */
export async function readRecord(consul: ConsulClient): Promise<DeployRecord | null> {
  const entry = await kvGet(consul, key);
  if (entry === null) return null;
  try {
    return recordSchema.parse(JSON.parse(entry.value));
  } catch {
    return null;
  }
}

export const recordOf = (kind: DeployRecord["kind"], plans: readonly JobPlan[]): DeployRecord => ({
  kind,
  at: new Date().toISOString(),
  host: hostname(),
  done: false,
  jobs: Object.fromEntries(plans.map(({ job, release, version }) => [job, { ...release, version }])),
});

export async function writeRecord(consul: ConsulClient, record: DeployRecord): Promise<void> {
  await kvPut(consul, key, JSON.stringify(record));
}

/** "deploy of api, workers at 2026-11-30T18:00:00Z", for a person. */
export const describeRecord = ({ kind, at, jobs, done }: DeployRecord): string =>
  `${kind} of ${Object.keys(jobs).join(", ")} at ${at}${done ? "" : ", which failed or was interrupted"}`;
