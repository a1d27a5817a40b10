import { stoppedReason } from "../../../../lib/contracts/shard/index.ts";
import type { Schemas } from "../../../../lib/api-client/index.ts";
import type { ClosedSessions } from "../../../../lib/db/index.ts";
import { count, duration, error, warning } from "../finding.ts";
import type { Fault } from "../finding.ts";

/** A login, a reconnect and the return of a killed shard take less. */
const settledMs = 2 * 60_000;

/** WhatsApp's refusal of the client version, as shards report it (services/whatsapp/session/ends.ts). */
const refusedVersion = "(405)";

/** Sessions with a linked phone that are not open. One finding for each status and reason. */
export function judgeSessions({ closed, now }: { closed: readonly ClosedSessions[]; now: number }): Fault[] {
  const isRefused = ({ reason }: ClosedSessions) => reason?.includes(refusedVersion) ?? false;
  const refused = closed.filter(isRefused).reduce((sum, { sessions }) => sum + sessions, 0);
  const faults: Fault[] = [];
  if (refused > 0) {
    const found = `WhatsApp has retired the client version (405): ${count(refused, "session")} cannot log in.`;
    faults.push(error(found, "Set a newer version: task wa:version SET=2.3000.…"));
  }
  const down = closed.filter(
    (one) => !isRefused(one) && one.reason !== stoppedReason && now - one.since.getTime() >= settledMs,
  );
  for (const { status, reason, sessions, since, business_id } of down) {
    const why = reason === null ? "" : ` (${reason})`;
    const age = duration(now - since.getTime());
    const found = `${count(sessions, "linked session")} down as ${status}${why}, first ${age} ago.`;
    const help = `For example, see GET /v1/businesses/${business_id}/whatsapp, task logs -- --business ${business_id}`;
    faults.push(warning(found, help));
  }
  return faults;
}

export type PacedBusiness = { business_id: string; stops: { holds: string; code: string; until: string }[] };

/** Stops that WhatsApp has imposed on accounts whose messages wait. */
export const judgeStops = (businesses: readonly PacedBusiness[]): Fault[] =>
  businesses.flatMap(({ business_id, stops }) =>
    stops.map(({ holds, code, until }) => {
      const what = holds === "everything" ? "all messages" : "messages to new chats";
      const found = `WhatsApp stopped ${what} of business ${business_id} until ${until} (code ${code}).`;
      const help = `Lift it early with DELETE /v1/businesses/${business_id}/whatsapp/pacing/stops.`;
      return warning(found, help);
    }),
  );

export type Quarantine = { entries: number; isMore: boolean };

export function judgeQuarantine({ entries, isMore }: Quarantine): Fault[] {
  if (entries === 0) return [];
  const number = `${isMore ? "more than " : ""}${count(entries, "entry", "entries")}`;
  const found = `The quarantine holds ${number} of journals that no worker could write.`;
  return [warning(found, "See why, then replay them: task quarantine, task quarantine -- --replay-all")];
}

type Shard = Pick<Schemas["Assignment"], "shard" | "journal">;

/** A worker takes up to 500 entries at a time, and needs less than a second for them. */
const mostEntries = 2_000;

/** Entries of journals that Postgres does not have yet. A shard that is unreachable is a finding of its own. */
export const judgeJournals = (shards: readonly Shard[]): Fault[] =>
  shards
    .filter(({ journal }) => (journal ?? 0) > mostEntries)
    .map(({ shard, journal }) =>
      warning(
        `The journal of shard ${shard} has ${journal} entries that Postgres lacks.`,
        "Workers do not keep up: task status, task logs -- workers --level warn, task scale:workers GROUP=high N=…",
      ),
    );
