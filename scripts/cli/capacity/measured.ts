import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/** The machine and time of a measurement. */
const origin = {
  machine: z.object({ cpu: z.string(), cores: z.int(), memory_gb: z.number() }),
  measured_at: z.iso.datetime(),
  bun: z.string(),
};

/** Figures of `task bench:shard -- --keep`. */
const shardSchema = z.object({
  ...origin,
  /** Sessions of the measured shard. */
  sessions: z.int().min(1),
  /** Memory of a shard without sessions. */
  idle_mb: z.number().positive(),
  kb_per_session: z.number().positive(),
  /** Highest rate with everything durable. */
  msgs_per_min: z.number().positive(),
  cpu_ms_per_msg: z.number().positive(),
  /** From handing over a single message to WhatsApp's acknowledgement, at a quarter of the highest rate. */
  p50_ms: z.number().positive(),
  /** From kill -9 until every session was open again. */
  reopen_after_kill_s: z.number().positive(),
});
export type MeasuredShard = z.infer<typeof shardSchema>;

/** Figures of `task bench:queues -- --only throughput --keep`: a message from the API to its delivery receipt. */
const pathSchema = z.object({
  ...origin,
  end_to_end_per_min: z.number().positive(),
  /** CPU time by kind of process, ms. */
  cpu_ms_per_msg: z.object({
    api: z.number(),
    worker: z.number(),
    shard: z.number(),
    postgres: z.number(),
    pgbouncer: z.number(),
    redis: z.number(),
    nginx: z.number(),
  }),
  wal_kb_per_msg: z.number(),
  table_kb_per_msg: z.number(),
  network_kb_per_msg: z.number(),
});
export type MeasuredPath = z.infer<typeof pathSchema>;

/** Figures of `task bench:cluster -- --keep`. */
const clusterSchema = z.object({
  ...origin,
  /** Shards in Consul. */
  shards_registered: z.int().min(1),
  /** Consul's answer that lists them all, KB: what each process gets at each change. */
  directory_answer_kb: z.number().positive(),
  /** Of two shards and a worker of the group low. */
  moves_per_minute: z.number().positive(),
});
export type MeasuredCluster = z.infer<typeof clusterSchema>;

const measuredSchema = z.object({
  shard: shardSchema.optional(),
  path: pathSchema.optional(),
  cluster: clusterSchema.optional(),
});
export type Measured = z.infer<typeof measuredSchema>;

const measuredFile = join(import.meta.dir, "measured.json");

export function thisMachine(): MeasuredShard["machine"] {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memory_gb: Math.round(totalmem() / 2 ** 30),
  };
}

/** Every part is missing before its first measurement. */
export async function readMeasured(): Promise<Measured> {
  const file = Bun.file(measuredFile);
  return (await file.exists()) ? measuredSchema.parse(await file.json()) : {};
}

type Origin = keyof typeof origin;

/** Replaces the figures of one bench. */
export async function keepMeasured<P extends keyof Measured>(
  part: P,
  figures: Omit<NonNullable<Measured[P]>, Origin>,
): Promise<void> {
  const own = { machine: thisMachine(), measured_at: new Date().toISOString(), bun: Bun.version };
  const measured = measuredSchema.parse({ ...(await readMeasured()), [part]: { ...own, ...figures } });
  await Bun.write(measuredFile, `${JSON.stringify(measured, null, 2)}\n`);
}
