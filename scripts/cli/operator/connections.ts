import { z } from "zod";
import { apiEnv } from "../../../services/api/config.ts";
import { callsEnv } from "../../../services/calls/config.ts";
import { workersEnv } from "../../../services/workers/config.ts";
import { requireNomadLeader } from "../../stack/leaders.ts";
import { createNomad, orNull } from "../../stack/nomad.ts";
import { resultCommand } from "../arguments.ts";
import { sumConnections } from "./connection_sums.ts";
import type { Users } from "./connection_sums.ts";
import { readNomadAddress } from "./stack.ts";
import { table } from "./table.ts";

const values = resultCommand(
  "connections",
  `Compare the database connections that all processes may open with the limits of pgbouncer, Postgres
and its replica.

Counts the requested allocations and one more of each group for a deploy. Exits 1 if a limit is
exceeded.`,
)
  .parse()
  .opts();

const task = z.object({
  Env: z.record(z.string(), z.string()).nullish(),
});
const job = z.object({
  TaskGroups: z.array(
    z.object({
      Name: z.string(),
      Count: z.int(),
      Update: z.object({ Canary: z.int() }).nullish(),
      Tasks: z.array(task),
    }),
  ),
});

const address = await readNomadAddress();
await requireNomadLeader(address);
const nomad = createNomad(address);
const read = async (name: string) => {
  const answer = await orNull(nomad("GET", `/v1/job/${name}`));
  return answer === null ? null : job.parse(answer);
};

/** The pool of each process and their number; a deploy runs new processes beside the old ones. */
async function usersOf(name: string, defaultPool: number, reads: boolean): Promise<(Users & { reads: boolean })[]> {
  const groups = (await read(name))?.TaskGroups ?? [];
  return groups.map(({ Name, Count, Update, Tasks }) => ({
    name: Name === name ? name : `${name}/${Name}`,
    processes: Count + (Update?.Canary ?? 0),
    each: Number(Tasks.map(({ Env }) => Env?.["DATABASE_POOL_SIZE"]).find(Boolean) ?? defaultPool),
    reads,
  }));
}

/** A limit in the environment of a data service's job: its templates write it into the server's configuration. */
async function limitOf(name: string, variable: string): Promise<number | null> {
  const tasks = (await read(name))?.TaskGroups.flatMap(({ Tasks }) => Tasks) ?? [];
  const found = tasks.map(({ Env }) => Env?.[variable]).find(Boolean);
  return found === undefined ? null : Number(found);
}

const required = (value: number | null, what: string): number => {
  if (value !== null) return value;
  console.error(`${what} is missing in the running jobs; for a managed server, check its own limit.`);
  process.exit(1);
};

const poolOf = (schema: z.ZodType): number => Number(schema.parse(undefined));
const services = (
  await Promise.all([
    usersOf("api", poolOf(apiEnv.shape.DATABASE_POOL_SIZE), true),
    usersOf("calls", poolOf(callsEnv.shape.DATABASE_POOL_SIZE), false),
    usersOf("workers", poolOf(workersEnv.shape.DATABASE_POOL_SIZE), false),
    // Those that keep copies: one appends, one takes a snapshot (services/whatsapp/copy/start.ts).
    usersOf("wa-shards", 2, false),
  ])
).flat();
const sums = sumConnections(services, {
  pooler: {
    clients: required(await limitOf("pgbouncer", "MAX_CLIENTS"), "MAX_CLIENTS of pgbouncer"),
    servers: required(await limitOf("pgbouncer", "POOL_SIZE"), "POOL_SIZE of pgbouncer"),
  },
  primary: required(await limitOf("postgres", "MAX_CONNECTIONS"), "MAX_CONNECTIONS of Postgres"),
  replica: await limitOf("postgres-replica", "MAX_CONNECTIONS"),
});
const fits = sums.every((sum) => sum.fits);

if (values.json) console.log(JSON.stringify({ fits, sums }));
else {
  const rows = sums.flatMap(({ server, users, wanted, allowed, fits: does }) => [
    ...users.map(({ name, processes, each }) => [server, name, `${processes} × ${each}`, String(processes * each), ""]),
    [server, "together", "", String(wanted), `of ${allowed}${does ? "" : ": too many"}`],
  ]);
  console.log(table([["SERVER", "WHO", "PROCESSES × POOL", "CONNECTIONS", ""], ...rows]));
}
process.exit(fits ? 0 : 1);
