/** Processes of one kind, and the connections each may open. */
export type Users = { name: string; processes: number; each: number };

/** A server, who connects to it, and how many connections it has for them. */
export type Sum = { server: string; users: Users[]; wanted: number; allowed: number; fits: boolean };

/** Of `max_connections` Postgres keeps these for its superuser (superuser_reserved_connections). */
const reserved = 3;

/** What connects past the pooler: migrate, the indexer with its report of progress, and somebody who looks. */
const direct: Users[] = [
  { name: "migrate", processes: 1, each: 1 },
  { name: "indexer", processes: 1, each: 2 },
  { name: "operators", processes: 1, each: 3 },
];

export type Limits = {
  /** pgbouncer's max_client_conn and max_db_connections. */
  pooler: { clients: number; servers: number };
  /** max_connections of each. */
  primary: number;
  replica: number | null;
};

/** Whether all that may connect at once fits what each server takes, the extra process of a rolling deploy included. */
export function sumConnections(services: readonly (Users & { reads: boolean })[], limits: Limits): Sum[] {
  const plain = ({ name, processes, each }: Users): Users => ({ name, processes, each });
  const sums = [
    sum("pgbouncer", services.map(plain), limits.pooler.clients),
    sum(
      "postgres",
      [{ name: "pgbouncer", processes: 1, each: limits.pooler.servers }, ...direct],
      limits.primary - reserved,
    ),
  ];
  const readers = services.filter(({ reads }) => reads).map(plain);
  return limits.replica === null ? sums : [...sums, sum("postgres-replica", readers, limits.replica - reserved)];
}

function sum(server: string, users: Users[], allowed: number): Sum {
  const wanted = users.reduce((total, { processes, each }) => total + processes * each, 0);
  return { server, users, wanted, allowed, fits: wanted <= allowed };
}
