import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { z } from "zod";
import { sleep } from "../../../lib/core/time.ts";
import { connectAsOwner } from "../../../lib/db/client/owner.ts";
import type { OwnerConnection } from "../../../lib/db/client/owner.ts";
import { readVariable } from "../../stack/secrets.ts";
import { otherLogin, valuesOf } from "../../stack/secret_values.ts";
import { ScaleFailure } from "../scale/failure.ts";
import type { Target } from "../scale/target.ts";
import { pathOfJob, rootPath } from "./variables.ts";
import type { Items } from "./variables.ts";

const instances = z.array(z.object({ ServiceAddress: z.string(), ServicePort: z.int() }));

/** The roles of nomad/tasks/postgres-init.sh by their items in nomad/jobs/postgres. */
const roles: Readonly<Record<string, string>> = {
  superuser_password: "postgres",
  owner_password: "prosaas",
  app_password: "prosaas_app",
  shards_password: "prosaas_shards",
  replication_password: "prosaas_replication",
};
/** Second logins, as members of the role that they stand for. */
const others: Readonly<Record<string, string>> = { app_b_password: "prosaas_app", shards_b_password: "prosaas_shards" };

/**
 * Gives the running Postgres the passwords in nomad/jobs/postgres, as its next start would set them, and its replica
 * the one that it connects with. Connected clients stay connected.
 */
export async function givePostgresPasswords({ nomad, consul }: Pick<Target, "nomad" | "consul">): Promise<void> {
  const { Items: secrets } = await readVariable(nomad, rootPath);
  const { Items } = await readVariable(nomad, pathOfJob("postgres"));
  const addressOf = async (service: string) => {
    const { body } = await consul.blockingGet(`/v1/catalog/service/${service}`, { index: 0 });
    const [instance] = instances.parse(body);
    return instance === undefined ? null : `${instance.ServiceAddress}:${instance.ServicePort}`;
  };
  const candidates = valuesOf(secrets["postgres_superuser_password"] ?? "");
  const primary = await addressOf("postgres");
  if (primary === null) throw new ScaleFailure("Consul lists no service postgres: start it, then run this again.");
  await asSuperuser(primary, candidates, (sql) => setPasswords(sql, Items));
  const replica = await addressOf("postgres-replica");
  const password = Items["replication_password"];
  if (replica !== null && password) await asSuperuser(replica, candidates, (sql) => setReplication(sql, password));
}

const wrongPassword = "28P01";
const retries = 10;

/** Tries each password: while it is rotated, the server may know the former one only, and a replica follows later. */
async function asSuperuser(
  address: string,
  candidates: readonly string[],
  work: (sql: OwnerConnection) => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    for (const candidate of candidates) {
      const url = `postgres://postgres:${encodeURIComponent(candidate)}@${address}/prosaas`;
      const sql = connectAsOwner({ url, applicationName: "prosaas-secrets" });
      try {
        return await work(sql);
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === wrongPassword)) throw error;
      } finally {
        await sql.end({ timeout: 1 });
      }
    }
    if (attempt === retries) break;
    await sleep(500);
  }
  throw new ScaleFailure(
    `Postgres at ${address} refuses its superuser's password: postgres_superuser_password in prosaas/secrets is not ` +
      "the one in use. Correct it with task secrets:set NAME=postgres_superuser_password.",
  );
}

/** Sets the passwords of `items`. A role whose item is empty, or other login without one, may not log in. */
export async function setPasswords(sql: OwnerConnection, items: Items): Promise<void> {
  for (const [item, role] of Object.entries(others)) await setOther(sql, role, items[item]);
  for (const [item, role] of Object.entries(roles)) {
    const password = items[item];
    if (password === undefined) continue;
    await sql.unsafe(`alter role ${role} ${password === "" ? "" : "login"} password ${verifierOf(password)}`);
  }
}

/** The sessions of a second login act as the role, with its settings. */
async function setOther(sql: OwnerConnection, role: string, password: string | undefined): Promise<void> {
  const login = otherLogin(role);
  const [{ exists }] = await sql<[{ exists: boolean }]>`
    select exists (select from pg_roles where rolname = ${login})`;
  if (!password) {
    if (exists) await sql.unsafe(`alter role ${login} password null`);
    return;
  }
  if (!exists) await sql.unsafe(`create role ${login}`);
  await sql.unsafe(`grant ${role} to ${login}`);
  const settings = await sql<{ statement: string }[]>`
    select format('alter role %I in database %I set %I = %L', ${login}::text, current_database(),
      split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)) as statement
    from pg_db_role_setting join pg_roles on pg_roles.oid = setrole, unnest(setconfig) setting
    where rolname = ${role} and setdatabase = (select oid from pg_database where datname = current_database())`;
  for (const { statement } of settings) await sql.unsafe(statement);
  await sql.unsafe(`alter role ${login} set role = '${role}'`);
  await sql.unsafe(`alter role ${login} login password ${verifierOf(password)}`);
}

/** Lets a replica connect with another password, which it reads from the file that postgres-replica.sh wrote. */
async function setReplication(sql: OwnerConnection, password: string): Promise<void> {
  const [{ value }] = await sql<[{ value: string }]>`select current_setting('primary_conninfo') as value`;
  const [, file] = /\bpassfile='?([^\s']+)/.exec(value) ?? [];
  if (file === undefined) return;
  if (!/^[\w-]+$/.test(password)) throw new ScaleFailure("The replication password may have letters, digits, - and _.");
  // Statements that fail or take long are logged, and this one has the password.
  await sql.unsafe("set log_min_duration_statement = -1; set log_min_error_statement = panic");
  await sql.unsafe(`copy (select '*:*:*:*:${password}') to '${file}'`);
}

/** 4,096 as Postgres takes by default: a random password needs no slow hash. */
const iterations = 4096;

/** A SCRAM verifier (RFC 5803) as a literal, or null: the password itself would be in the log of a failed statement. */
function verifierOf(password: string): string {
  if (password === "") return "null";
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const keyOf = (name: string) => createHmac("sha256", salted).update(name).digest();
  const stored = createHash("sha256").update(keyOf("Client Key")).digest("base64");
  return `'SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${stored}:${keyOf("Server Key").toString("base64")}'`;
}
