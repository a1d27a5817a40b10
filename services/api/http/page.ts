import { z } from "@hono/zod-openapi";

const uuid = z.uuid();

/** A cursor is the id of the last row of a page, made opaque so that nobody builds on its form. */
export function cursorOf(id: string): string {
  return Buffer.from(id).toString("base64url");
}

const cursor = z
  .string()
  .max(100)
  .transform((text, context) => {
    const id = uuid.safeParse(Buffer.from(text, "base64url").toString()).data;
    if (id !== undefined) return id;
    context.addIssue({ code: "custom", message: "is not a cursor: send back `next_cursor` as it was given" });
    return z.NEVER;
  });

export const pageQuery = {
  cursor: cursor.optional().openapi({ type: "string", description: "`next_cursor` of the page before." }),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(50)
    .openapi({ type: "integer", description: "Rows a page at most; a page of large rows has fewer." }),
};

export const pageOf = <T extends z.ZodType>(row: T) =>
  z.object({
    data: z.array(row),
    next_cursor: z.string().nullable().openapi({ description: "Null on the last page." }),
  });

/**
 * Reads one row more than asked for: whether it is there tells whether a next page is. A list that ends early, because
 * its rows are large, says so by `has_next` of its last row.
 */
export async function pageThrough<Row extends { id: string; has_next?: boolean }, View>(
  { cursor: before, limit }: { cursor?: string | undefined; limit: number },
  read: (range: { before: string | undefined; limit: number }) => Promise<Row[]>,
  view: (row: Row) => View,
): Promise<{ data: View[]; next_cursor: string | null }> {
  const rows = await read({ before, limit: limit + 1 });
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasNext = rows.length > limit || last?.has_next === true;
  return { data: shown.map(view), next_cursor: last && hasNext ? cursorOf(last.id) : null };
}
