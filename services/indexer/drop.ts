import type { IndexDefinition } from "../../lib/db/indexes.ts";
import type { OwnerConnection } from "../../lib/db/client/owner.ts";
import { briefly } from "./build.ts";
import type { Progress } from "./build.ts";
import { surveyIndexes } from "./survey.ts";

/**
 * Drops the named retired indexes without blocking writes; a missing one is skipped. Throws, and drops none, if a name
 * belongs to a listed index or to a constraint.
 */
export async function dropRetired(
  sql: OwnerConnection,
  names: readonly string[],
  list: readonly IndexDefinition[],
  progress: Progress,
): Promise<string[]> {
  if (names.length === 0) return [];
  const { indexes } = await surveyIndexes(sql, list);
  const present = indexes.filter(({ name, state }) => names.includes(name) && state !== "missing");
  const listed = new Set(list.map(({ name }) => name));
  const needed = present.filter(({ name, state }) => listed.has(name) || state === "valid");
  if (needed.length > 0) {
    throw new Error(
      `${needed.map(({ name }) => name).join(", ")} is not retired; take it out of lib/db/indexes.ts first`,
    );
  }
  for (const { name, table } of present) {
    progress({ action: "drop", index: name, table });
    // A partitioned one cannot be dropped CONCURRENTLY; it is dropped in an instant, for it is its parts that are big.
    const [{ partitioned }] = await sql<[{ partitioned: boolean }]>`
      select relkind = 'I' as partitioned from pg_class where oid = to_regclass(${name})`;
    if (partitioned) await briefly(sql, (tx) => tx`drop index if exists ${tx(name)}`);
    else await sql`drop index concurrently if exists ${sql(name)}`;
  }
  return present.map(({ name }) => name);
}
