import { z } from "zod";
import { isSupervised } from "../../lib/consul/register.ts";
import { baseEnv, consulEnv, loadConfig } from "../../lib/runtime/config.ts";

/** Long enough not to be guessed: the root key is made of it. */
const seed = z.string().min(16);

const schema = z.object({
  ...baseEnv,
  ...consulEnv,
  SIMULATOR_SEED: seed.optional(),
  /** Folder of the state; without it phones are forgotten when the process ends. */
  SIMULATOR_DATA: z.string().min(1).optional(),
  /** Bearer token of the control API. */
  SIMULATOR_TOKEN: z.string().min(16).optional(),
});

export type SimulatorConfig = z.output<typeof schema> & { supervised: boolean };

export function loadSimulatorConfig(env: Record<string, string | undefined> = process.env): SimulatorConfig {
  return { ...loadConfig(schema, env), supervised: isSupervised(env) };
}

/** What root.ts reads. */
export function loadSeed(env: Record<string, string | undefined> = process.env): string {
  return loadConfig(z.object({ SIMULATOR_SEED: seed }), env).SIMULATOR_SEED;
}
