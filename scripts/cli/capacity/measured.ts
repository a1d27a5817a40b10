import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/** Figures of `task bench:shard -- --keep`, and the machine that they come from. */
export const measuredSchema = z.object({
  machine: z.object({ cpu: z.string(), cores: z.int(), memory_gb: z.number() }),
  measured_at: z.iso.datetime(),
  bun: z.string(),
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
export type Measured = z.infer<typeof measuredSchema>;

export const measuredFile = join(import.meta.dir, "measured.json");

export function thisMachine(): Measured["machine"] {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memory_gb: Math.round(totalmem() / 2 ** 30),
  };
}

/** Null before the first measurement. */
export async function readMeasured(): Promise<Measured | null> {
  const file = Bun.file(measuredFile);
  return (await file.exists()) ? measuredSchema.parse(await file.json()) : null;
}

export async function keepMeasured(figures: Omit<Measured, "machine" | "measured_at" | "bun">): Promise<void> {
  const measured = measuredSchema.parse({
    machine: thisMachine(),
    measured_at: new Date().toISOString(),
    bun: Bun.version,
    ...figures,
  } satisfies Measured);
  await Bun.write(measuredFile, `${JSON.stringify(measured, null, 2)}\n`);
}
