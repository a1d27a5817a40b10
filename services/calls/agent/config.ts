import { z } from "zod";
import { baseEnv } from "../../../lib/runtime/config.ts";
import { zNumber } from "../twilio/forms.ts";

export const callAgentEnv = z.object({
  HOST: baseEnv.HOST,
  PORT: baseEnv.PORT,
  OPS_PORT: baseEnv.OPS_PORT,
  METRICS_TOKEN: baseEnv.METRICS_TOKEN,
  LOG_LEVEL: baseEnv.LOG_LEVEL,
  /** Token that the calls service must present (its CALL_AGENT_TOKEN). Unset: none. */
  CALL_AGENT_TOKEN: z.string().min(16).optional(),
  /** The number that key 9 transfers to. */
  CALL_AGENT_TRANSFER_TO: zNumber.optional(),
});
