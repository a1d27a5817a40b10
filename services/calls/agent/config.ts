import { z } from "zod";
import { baseEnv, zTokens } from "../../../lib/runtime/config.ts";
import { zNumber } from "../twilio/forms.ts";

export const callAgentEnv = z.object({
  HOST: baseEnv.HOST,
  PORT: baseEnv.PORT,
  OPS_PORT: baseEnv.OPS_PORT,
  METRICS_TOKEN: baseEnv.METRICS_TOKEN,
  LOG_LEVEL: baseEnv.LOG_LEVEL,
  /** Tokens of which the calls service must present one (its CALL_AGENT_TOKEN). Unset: none. */
  CALL_AGENT_TOKEN: zTokens.optional(),
  /** The number that key 9 transfers to. */
  CALL_AGENT_TRANSFER_TO: zNumber.optional(),
});
