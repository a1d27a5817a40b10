import { z } from "@hono/zod-openapi";
import { defaultLimits, pacingLimits, pacingState } from "../../../../lib/contracts/shard/index.ts";

const description =
  `Omitted limits use the platform's defaults: ${JSON.stringify(defaultLimits)}. ` +
  "Pacing is enabled unless the operator has disabled it.";

export const pacingChange = z.strictObject(pacingLimits.partial().shape).openapi("PacingSettings", { description });

export const pacingSchema = z
  .object({
    settings: pacingLimits.partial().openapi({ description: "The limits that the business has set." }),
    limits: pacingLimits.nullable().openapi({ description: "The limits in force. Null if the shard is unreachable." }),
    state: pacingState.nullable().openapi({
      description: "The pacing state of the account. Null without a session, or if the shard is unreachable.",
    }),
  })
  .openapi("Pacing");
