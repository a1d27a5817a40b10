import { z } from "zod";
import { isSupervised } from "../../lib/consul/register.ts";
import { baseEnv, consulEnv, loadConfig, zPort, zTokens, zUrl } from "../../lib/runtime/config.ts";

/** Long enough that it cannot be guessed: the Noise root key is derived from it. */
const seed = z.string().min(16);

export const simulatorEnv = z
  .object({
    ...baseEnv,
    ...consulEnv,
    SIMULATOR_SEED: seed.optional(),
    /** Folder of the state. Unset: phones are lost when the process ends. */
    SIMULATOR_DATA: z.string().min(1).optional(),
    /** Bearer token of the control API. */
    SIMULATOR_TOKEN: z.string().min(16),
    /** The media host (optional): files of its certificate and key (PEM), its port, and the host name for clients. */
    SIMULATOR_MEDIA_CERT: z.string().min(1).optional(),
    SIMULATOR_MEDIA_KEY: z.string().min(1).optional(),
    SIMULATOR_MEDIA_PORT: zPort.default(0),
    SIMULATOR_MEDIA_HOST: z.string().min(1).optional(),
    /** The voice carrier's account. Its REST API accepts each token; the first signs webhooks. Unset: no carrier. */
    TWILIO_AUTH_TOKEN: zTokens.optional(),
    TWILIO_ACCOUNT_SID: z
      .string()
      .regex(/^AC[0-9a-f]{32}$/, "must be an account's sid")
      .optional(),
    /** Public URL of the calls service: the webhooks of numbers without settings of their own. */
    PUBLIC_URL: zUrl("http", "https").optional(),
    /** File (PEM) of another CA that the carrier trusts, because a stack's edge has a certificate of its own. */
    SIMULATOR_CA_FILE: z.string().min(1).optional(),
  })
  .refine((env) => (env.SIMULATOR_MEDIA_CERT === undefined) === (env.SIMULATOR_MEDIA_KEY === undefined), {
    path: ["SIMULATOR_MEDIA_KEY"],
    message: "requires SIMULATOR_MEDIA_CERT, and vice versa: set both or neither",
  });

export type SimulatorConfig = z.output<typeof simulatorEnv> & { supervised: boolean };

export function loadSimulatorConfig(env: Record<string, string | undefined> = process.env): SimulatorConfig {
  return { ...loadConfig(simulatorEnv, env), supervised: isSupervised(env) };
}

/** Reads the configuration of root.ts. */
export function loadSeed(env: Record<string, string | undefined> = process.env): string {
  return loadConfig(z.object({ SIMULATOR_SEED: seed }), env).SIMULATOR_SEED;
}
