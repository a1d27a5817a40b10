import { z } from "zod";
import { baseEnv, consulEnv, zInt, zUrl } from "../../lib/runtime/config.ts";

export const autoscalerEnv = z.object({
  HOST: baseEnv.HOST,
  OPS_PORT: baseEnv.OPS_PORT,
  LOG_LEVEL: baseEnv.LOG_LEVEL,
  /** Guards its own metrics, and opens those of the services that it scales: the same in all jobs. */
  METRICS_TOKEN: baseEnv.METRICS_TOKEN,
  ...consulEnv,
  /** In a task, the socket that Nomad's client gives it: needs no address of a server and no certificate. */
  NOMAD_ADDR: zUrl("http", "https", "unix"),
  /** The task's own identity, under nomad/policies/jobs/autoscaler.hcl. Nomad sets it. */
  NOMAD_TOKEN: z.string().optional(),
  /** Names the process to its successor after a crash. Nomad sets it. */
  NOMAD_ALLOC_ID: z.string().optional(),
  /** Time between two rounds. */
  AUTOSCALER_INTERVAL_MS: zInt(100, 60_000).default(10_000),
});
