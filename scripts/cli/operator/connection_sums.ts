/** Processes of one kind and the connections that each may open. */
export type Users = { name: string; processes: number; each: number };

/** A server, its clients and its connection limit. */
export type Sum = { server: string; users: Users[]; wanted: number; allowed: number; fits: boolean };

/** Connections that Postgres reserves for its superuser (superuser_reserved_connections). */
const reserved = 3;

/** Clients that bypass the pooler: migrate, the indexer with its progress report, and operators. */
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

/** Compares the connections of all processes, including one extra of a rolling deploy, with each server's limit. */
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
