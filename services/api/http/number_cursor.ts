import { z } from "@hono/zod-openapi";

/** A cursor over what is counted, made opaque so that nobody builds on its form. */
export function numberCursorOf(number: number): string {
  return Buffer.from(String(number)).toString("base64url");
}

export const numberCursor = z
  .string()
  .max(40)
  .transform((text, context) => {
    const number = z.coerce.number().int().min(0).safeParse(Buffer.from(text, "base64url").toString()).data;
    if (number !== undefined) return number;
    context.addIssue({ code: "custom", message: "is not a cursor: send back `next_cursor` as it was given" });
    return z.NEVER;
  })
  .optional()
  .openapi({ type: "string", description: "`next_cursor` of the page before." });
