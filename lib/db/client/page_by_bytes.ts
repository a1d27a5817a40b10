import { sql } from "./literal.ts";
import type { Statement } from "./literal.ts";

/**
 * Bytes of contents after which a page ends early: 200 of the longest texts would be 13 MB, whose escaped JSON keeps
 * the process from all other requests.
 */
const maxPageBytes = 256 * 1024;

/** `has_next`: another row follows, within the limit or beyond the bytes. */
export type Listed<Row> = Row & { has_next: boolean };

/**
 * SQL: the rows of a query with the column `id`, highest id first, until their contents exceed 256 KB. Window functions
 * measure them in the database. `bytes`: the size of the contents of a row.
 */
export const pageByBytes = (rows: Statement, bytes: Statement): Statement => sql`
  select * from (
    select listed.*,
      lead(id) over newest_first is not null as has_next,
      sum(${bytes}) over (newest_first rows between unbounded preceding and 1 preceding) as bytes_before
    from (${rows}) listed
    window newest_first as (order by id desc)
  ) measured
  where coalesce(bytes_before, 0) < ${maxPageBytes}
  order by id desc`;
