import { z } from "@hono/zod-openapi";
import { cursorDescription, cursorFault } from "./page.ts";

/** Encodes an offset or a position. The base64url form keeps clients from depending on the content. */
export function numberCursorOf(number: number): string {
  return Buffer.from(String(number)).toString("base64url");
}

export const numberCursor = z
  .string()
  .max(40)
  .transform((text, context) => {
    const number = z.coerce.number().int().min(0).safeParse(Buffer.from(text, "base64url").toString()).data;
    if (number !== undefined) return number;
    context.addIssue({ code: "custom", message: cursorFault });
    return z.NEVER;
  })
  .optional()
  .openapi({ type: "string", description: cursorDescription });
