/** The output of a task that a line comes from. */
export type Source = {
  /** The allocation's name, with its task if it has several: "wa-shards.shard[0]", "nginx.nginx[0]/reload". */
  readonly name: string;
  readonly allocation: string;
  readonly task: string;
  readonly stream: "stdout" | "stderr";
};

export type Entry = {
  readonly source: Source;
  /** Unix ms: the line's own time, or that of the line before it; -Infinity before the first time. */
  readonly at: number;
  /** The fields of a line that is a JSON object. */
  readonly fields: Readonly<Record<string, unknown>> | null;
  readonly text: string;
};

export function fieldsOf(text: string): Record<string, unknown> | null {
  if (!text.startsWith("{")) return null;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Postgres, pgbouncer and consul-template; nginx with slashes. Tasks run in UTC. */
const dateFirst = /^(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,3})?)/;
/** Redis: its process, its role, and "30 Nov 2026 15:42:00.123". */
const afterRole = /^\d+:[A-Z] (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d:\d\d:\d\d\.\d{3})/;

/** The time of a line in Unix ms; null for a line that has none, such as the second one of a stack trace. */
export function timeOf(text: string, fields: Readonly<Record<string, unknown>> | null): number | null {
  const own = fields?.["time"];
  if (typeof own === "number") return own;
  if (typeof own === "string") return known(Date.parse(own));
  const [, year, month, day, time] = dateFirst.exec(text) ?? [];
  if (time !== undefined) return known(Date.parse(`${year}-${month}-${day}T${time}Z`));
  const [, dayFirst, name, yearLast, clock] = afterRole.exec(text) ?? [];
  if (clock === undefined) return null;
  const number = String(months.indexOf(name!) + 1).padStart(2, "0");
  return known(Date.parse(`${yearLast}-${number}-${dayFirst}T${clock}Z`));
}

const known = (ms: number): number | null => (Number.isNaN(ms) ? null : ms);

/**
 * The lines of a source as entries, in their order. A line without a time has that of the line before it.
 *
 * @param isCut the lines begin within the log: those before the first time are left out, because the first is a part
 */
export async function* entriesOf(
  source: Source,
  lines: AsyncIterable<string>,
  { isCut = false }: { isCut?: boolean } = {},
): AsyncGenerator<Entry> {
  let last = Number.NEGATIVE_INFINITY;
  for await (const text of lines) {
    const fields = fieldsOf(text);
    const own = timeOf(text, fields);
    if (own === null && isCut && last === Number.NEGATIVE_INFINITY) continue;
    // Lines keep their order, so a clock that was set back moves none before another.
    last = Math.max(last, own ?? last);
    yield { source, at: last, fields, text };
  }
}
