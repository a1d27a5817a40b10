/** "error": something does not work. "warning": it works, and may stop. "unknown": a fact could not be read. */
export type Severity = "error" | "warning" | "unknown";

export type Finding = {
  severity: Severity;
  /** The part of the cluster, such as "shards". */
  area: string;
  /** A sentence that says what is wrong. */
  found: string;
  /** The command, or the section of a README, that helps. */
  help: string;
};

/** A finding of a check, which knows no area. */
export type Fault = Omit<Finding, "area">;

export const error = (found: string, help: string): Fault => ({ severity: "error", found, help });
export const warning = (found: string, help: string): Fault => ({ severity: "warning", found, help });
export const unknown = (found: string, help: string): Fault => ({ severity: "unknown", found, help });

const order: Record<Severity, number> = { error: 0, unknown: 1, warning: 2 };

/** The most severe findings first; those of one severity stay in order. */
export const bySeverity = (findings: readonly Finding[]): Finding[] =>
  findings.toSorted((a, b) => order[a.severity] - order[b.severity]);

/** One line, although answers of servers may hold line breaks. */
export const describeFinding = ({ severity, area, found, help }: Finding): string =>
  `${severity.padEnd(7)}  ${area}: ${found} ${help}`.replaceAll(/\s*\n\s*/g, " ");

/** "1 shard", "2 shards". */
export const count = (number: number, noun: string, plural = `${noun}s`): string =>
  `${number} ${number === 1 ? noun : plural}`;

/** A text of a server as the end of a sentence: on one line, not too long, with a full stop. */
export function quoted(text: string, most = 200): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  const cut = line.length > most ? `${line.slice(0, most)}…` : line;
  return /[.!?…]$/.test(cut) ? cut : `${cut}.`;
}

/** "40 s", "12 min", "3 h", "5 days". */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}
