import { z } from "zod";
import { apiEnv } from "../../../services/api/config.ts";
import { callsEnv } from "../../../services/calls/config.ts";
import { workersEnv } from "../../../services/workers/config.ts";
import { orNull } from "../../stack/nomad.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { sumConnections } from "./connection_sums.ts";
import type { Sum, Users } from "./connection_sums.ts";

const job = z.object({
  TaskGroups: z.array(
    z.object({
      Name: z.string(),
      Count: z.int(),
      Update: z.object({ Canary: z.int() }).nullish(),
      Tasks: z.array(z.object({ Env: z.record(z.string(), z.string()).nullish() })),
    }),
  ),
});

const poolOf = (schema: z.ZodType): number => Number(schema.parse(undefined));

/** The connections of all processes beside the limits of the servers; names the limit that no running job has. */
export async function surveyConnections(nomad: Nomad): Promise<{ sums: Sum[] } | { missing: string }> {
  const read = async (name: string) => {
    const answer = await orNull(nomad("GET", `/v1/job/${name}`));
    return answer === null ? null : job.parse(answer);
  };

  /** The pool of each process and their number; a deploy runs new processes beside the old ones. */
  const usersOf = async (name: string, defaultPool: number, reads: boolean): Promise<(Users & { reads: boolean })[]> =>
    ((await read(name))?.TaskGroups ?? []).map(({ Name, Count, Update, Tasks }) => ({
      name: Name === name ? name : `${name}/${Name}`,
      processes: Count + (Update?.Canary ?? 0),
      each: Number(Tasks.map(({ Env }) => Env?.["DATABASE_POOL_SIZE"]).find(Boolean) ?? defaultPool),
      reads,
    }));

  /** A limit in the environment of a data service's job: its templates write it into the server's configuration. */
  const limitOf = async (name: string, variable: string): Promise<number | null> => {
    const tasks = (await read(name))?.TaskGroups.flatMap(({ Tasks }) => Tasks) ?? [];
    const found = tasks.map(({ Env }) => Env?.[variable]).find(Boolean);
    return found === undefined ? null : Number(found);
  };

  const [clients, servers, primary, replica] = await Promise.all([
    limitOf("pgbouncer", "MAX_CLIENTS"),
    limitOf("pgbouncer", "POOL_SIZE"),
    limitOf("postgres", "MAX_CONNECTIONS"),
    limitOf("postgres-replica", "MAX_CONNECTIONS"),
  ]);
  if (clients === null) return { missing: "MAX_CLIENTS of pgbouncer" };
  if (servers === null) return { missing: "POOL_SIZE of pgbouncer" };
  if (primary === null) return { missing: "MAX_CONNECTIONS of Postgres" };
  const services = await Promise.all([
    usersOf("api", poolOf(apiEnv.shape.DATABASE_POOL_SIZE), true),
    usersOf("calls", poolOf(callsEnv.shape.DATABASE_POOL_SIZE), false),
    usersOf("workers", poolOf(workersEnv.shape.DATABASE_POOL_SIZE), false),
    // Those that keep copies: one appends, one takes a snapshot (services/whatsapp/copy/start.ts).
    usersOf("wa-shards", 2, false),
  ]);
  return { sums: sumConnections(services.flat(), { pooler: { clients, servers }, primary, replica }) };
}
