import { z } from "zod";
import { isSupervised } from "../../lib/consul/register.ts";
import { baseEnv, consulEnv, loadConfig, zPort, zUrl } from "../../lib/runtime/config.ts";

/** Long enough not to be guessed: the root key is made of it. */
const seed = z.string().min(16);

const schema = z
  .object({
    ...baseEnv,
    ...consulEnv,
    SIMULATOR_SEED: seed.optional(),
    /** Folder of the state; without it phones are forgotten when the process ends. */
    SIMULATOR_DATA: z.string().min(1).optional(),
    /** Bearer token of the control API. */
    SIMULATOR_TOKEN: z.string().min(16),
    /** The media host, if there is to be one: files with its certificate and key (PEM), its port, the name clients use. */
    SIMULATOR_MEDIA_CERT: z.string().min(1).optional(),
    SIMULATOR_MEDIA_KEY: z.string().min(1).optional(),
    SIMULATOR_MEDIA_PORT: zPort.default(0),
    SIMULATOR_MEDIA_HOST: z.string().min(1).optional(),
    /** The voice carrier's account, as the calls service knows it; without it there is no carrier. */
    TWILIO_AUTH_TOKEN: z.string().min(16).optional(),
    TWILIO_ACCOUNT_SID: z
      .string()
      .regex(/^AC[0-9a-f]{32}$/, "must be an account's sid")
      .optional(),
    /** The calls service as seen from outside: what numbers call that were not set up. */
    PUBLIC_URL: zUrl("http", "https").optional(),
    /** File (PEM) of an authority that the carrier trusts besides the system's: a stack's edge has a certificate of its own. */
    SIMULATOR_CA_FILE: z.string().min(1).optional(),
  })
  .refine((env) => (env.SIMULATOR_MEDIA_CERT === undefined) === (env.SIMULATOR_MEDIA_KEY === undefined), {
    path: ["SIMULATOR_MEDIA_KEY"],
    message: "goes with SIMULATOR_MEDIA_CERT: set both or neither",
  });

export type SimulatorConfig = z.output<typeof schema> & { supervised: boolean };

export function loadSimulatorConfig(env: Record<string, string | undefined> = process.env): SimulatorConfig {
  return { ...loadConfig(schema, env), supervised: isSupervised(env) };
}

/** What root.ts reads. */
export function loadSeed(env: Record<string, string | undefined> = process.env): string {
  return loadConfig(z.object({ SIMULATOR_SEED: seed }), env).SIMULATOR_SEED;
}
