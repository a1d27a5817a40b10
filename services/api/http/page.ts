import { z } from "@hono/zod-openapi";

const uuid = z.uuid();

/** Message for a cursor that cannot be decoded. */
export const cursorFault = "is not a cursor; send `next_cursor` of the previous page unchanged";

/** Encodes the id of a page's last row. The base64url form keeps clients from depending on the content. */
export function cursorOf(id: string): string {
  return Buffer.from(id).toString("base64url");
}

const cursor = z
  .string()
  .max(100)
  .transform((text, context) => {
    const id = uuid.safeParse(Buffer.from(text, "base64url").toString()).data;
    if (id !== undefined) return id;
    context.addIssue({ code: "custom", message: cursorFault });
    return z.NEVER;
  });

export const cursorDescription = "`next_cursor` of the previous page.";

/** The `limit` parameter of every list. */
export const pageLimit = z.coerce
  .number()
  .int()
  .min(1)
  .max(200)
  .default(50)
  .openapi({ type: "integer", description: "Maximum number of rows in the page. A page of large rows has fewer." });

export const pageQuery = {
  cursor: cursor.optional().openapi({ type: "string", description: cursorDescription }),
  limit: pageLimit,
};

/** The `{data, next_cursor}` envelope of a list. */
export const pageOf = <T extends z.ZodType>(row: T) =>
  z.object({
    data: z.array(row),
    next_cursor: z
      .string()
      .nullable()
      .openapi({ description: "Send it as `cursor` to get the next page. Null on the last page." }),
  });

/** The answer of a list route. */
export const pageAnswer = <T extends z.ZodType>(description: string, row: T) => ({
  description,
  content: { "application/json": { schema: pageOf(row) } },
});

/**
 * Reads one page. Requests one row more than the limit to learn whether a next page exists. A query that ends a page
 * early because its rows are large sets `has_next` on the last row.
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
