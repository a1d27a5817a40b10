import type { IndexSurvey } from "../../../../services/indexer/survey.ts";
import type { Sum } from "../../operator/connection_sums.ts";
import { error, quoted, warning } from "../finding.ts";
import type { Fault } from "../finding.ts";

export type PostgresNow = { open: number; limit: number } | { unreachable: string };

const nearLimit = 0.8;
const percent = (share: number) => `${Math.floor(100 * share)} %`;

export function judgePostgres(postgres: PostgresNow): Fault[] {
  if ("unreachable" in postgres) {
    const found = `Postgres does not answer: ${quoted(postgres.unreachable)}`;
    return [error(found, "See: task logs -- postgres, nomad job status postgres")];
  }
  const { open, limit } = postgres;
  if (open < nearLimit * limit) return [];
  const found = `Postgres has ${open} of ${limit} connections open (${percent(open / limit)}).`;
  return [warning(found, "See which processes may open how many: task connections")];
}

/** `sums` are null if the servers are managed ones, whose limits no job knows. */
export const judgeConnections = (sums: readonly Sum[] | null): Fault[] =>
  (sums ?? [])
    .filter(({ fits }) => !fits)
    .map(({ server, wanted, allowed }) =>
      warning(
        `All processes together may open ${wanted} connections to ${server}, which allows ${allowed}.`,
        "See task connections: raise its limit, or run fewer processes.",
      ),
    );

/** `lagMs` is null if the replica is further behind than services read from it, or cannot be read. */
export type ReplicaNow = { lagMs: number | null; why: string } | null;

export function judgeReplica(replica: ReplicaNow): Fault[] {
  if (replica === null || replica.lagMs !== null) return [];
  const found = `The replica of Postgres is not used: ${quoted(replica.why)}`;
  return [warning(found, "See: task logs -- postgres-replica, nomad job status postgres-replica")];
}

export function judgeIndexes({ missing, invalid }: Pick<IndexSurvey, "missing" | "invalid">): Fault[] {
  const help = "Build them: nomad job dispatch indexer. See task indexes.";
  const faults: Fault[] = [];
  if (missing.length > 0) faults.push(warning(`Indexes are missing: ${missing.join(", ")}.`, help));
  if (invalid.length > 0) faults.push(warning(`Indexes are invalid: ${invalid.join(", ")}.`, help));
  return faults;
}

/** Live events stop at 60 % (lib/events/memory_guard.ts), and every write at 100 %. */
const eventsStop = 0.6;
const almostFull = 0.85;

/** `fill`: memory used over `maxmemory`. */
export function judgeRedis(redis: { fill: number } | { unreachable: string }): Fault[] {
  if ("unreachable" in redis) {
    const found = `Redis does not answer: ${quoted(redis.unreachable)}`;
    return [error(found, "See: task logs -- redis, nomad job status redis")];
  }
  if (redis.fill < eventsStop) return [];
  const found = `Redis uses ${percent(redis.fill)} of its memory: live events have stopped`;
  const help = "Look for long queues and dead letters (task status), or give the job redis more memory.";
  if (redis.fill < almostFull) return [warning(`${found}.`, help)];
  return [error(`${found}, and calls and queues stop at 100 %.`, help)];
}
