import { z } from "@hono/zod-openapi";
import { defaultLimits, pacingLimits, pacingState } from "../../../../lib/contracts/shard/index.ts";

const description = `What is left out is as the platform has it: ${JSON.stringify(defaultLimits)}, and enabled unless the operator says otherwise.`;

export const pacingChange = z.strictObject(pacingLimits.partial().shape).openapi("PacingSettings", { description });

export const pacingSchema = z
  .object({
    settings: pacingLimits.partial().openapi({ description: "What the business has set." }),
    limits: pacingLimits.nullable().openapi({ description: "What is in force; null while the shard cannot be asked." }),
    state: pacingState
      .nullable()
      .openapi({ description: "Where the account stands; null while it has no login, or its shard cannot be asked." }),
  })
  .openapi("Pacing");
