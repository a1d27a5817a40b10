import { indexes as listed } from "../../lib/db/indexes.ts";
import type { IndexDefinition } from "../../lib/db/indexes.ts";
import type { OwnerConnection } from "../../lib/db/client/owner.ts";

export type SurveyedIndex = {
  name: string;
  table: string;
  /** "retired": in the database, and neither listed nor there to keep a rule. */
  state: "valid" | "invalid" | "missing" | "retired";
  /** Of all partitions together. */
  bytes: number;
  /** How often queries used it since the statistics were reset. */
  scans: number;
  /** A listed index that no query has used: slower writes for nothing. */
  unused: boolean;
};

export type IndexSurvey = {
  indexes: SurveyedIndex[];
  missing: string[];
  invalid: string[];
  unused: string[];
  retired: string[];
};

type Row = { name: string; table: string; valid: boolean; constrained: boolean; bytes: number; scans: number };

/** Every index of our tables: as it is, and as the list says it should be. */
export async function surveyIndexes(
  sql: OwnerConnection,
  list: readonly IndexDefinition[] = listed,
): Promise<IndexSurvey> {
  // Of a partitioned index the parts are counted: the parent holds nothing itself, and no query is said to use it.
  const rows = await sql<Row[]>`
    with recursive part as (
      select i.indexrelid as root, i.indexrelid as id
      from pg_index i join pg_class c on c.oid = i.indexrelid
      where c.relnamespace = 'public'::regnamespace and not c.relispartition
      union all
      select part.root, h.inhrelid from part join pg_inherits h on h.inhparent = part.id
    )
    select root::regclass::text as name, i.indrelid::regclass::text as table,
           bool_and(p.indisvalid and p.indisready and p.indislive) as valid,
           i.indisunique or exists (select from pg_constraint where conindid = root) as constrained,
           sum(pg_relation_size(part.id))::float8 as bytes, coalesce(sum(s.idx_scan), 0)::float8 as scans
    from part
    join pg_index i on i.indexrelid = root
    join pg_index p on p.indexrelid = part.id
    left join pg_stat_user_indexes s on s.indexrelid = part.id
    group by root, i.indrelid, i.indisunique
    order by 2, 1`;
  return judge(rows, list);
}

/** Compares the indexes of the database with the list. */
export function judge(rows: readonly Row[], list: readonly IndexDefinition[]): IndexSurvey {
  const known = new Set(list.map(({ name }) => name));
  const present = new Set(rows.map(({ name }) => name));
  const indexes: SurveyedIndex[] = [
    ...rows.map(({ name, table, valid, constrained, bytes, scans }): SurveyedIndex => {
      const state = !valid ? "invalid" : known.has(name) || constrained ? "valid" : "retired";
      return { name, table, state, bytes, scans, unused: valid && known.has(name) && scans === 0 };
    }),
    ...list
      .filter(({ name }) => !present.has(name))
      .map(({ name, table }): SurveyedIndex => ({ name, table, state: "missing", bytes: 0, scans: 0, unused: false })),
  ];
  const named = (test: (index: SurveyedIndex) => boolean) => indexes.filter(test).map(({ name }) => name);
  return {
    indexes,
    missing: named(({ state }) => state === "missing"),
    invalid: named(({ state }) => state === "invalid"),
    unused: named(({ unused }) => unused),
    retired: named(({ state }) => state === "retired"),
  };
}
