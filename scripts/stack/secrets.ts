import { randomBytes } from "node:crypto";
import { randomToken } from "../../lib/core/secret.ts";
import { HttpFailure } from "../cli/operator/http.ts";
import { orNull } from "./nomad.ts";
import type { Nomad } from "./nomad.ts";
import { accepted, loginItems, loginOf, presented, valuesOf } from "./secret_values.ts";
import { reads, serviceJobs, settingOf } from "./settings/known.ts";

/*
 * Secrets live in Nomad Variables only. `prosaas/secrets` holds each once, for operators and for this program; no task
 * can read that path. `nomad/jobs/<job>` holds a job's own ones, which Nomad lets its tasks read. nomad/README.md shows
 * how to write them for a production cluster.
 */

/** Every secret by its name in `prosaas/secrets`, and how it is generated. */
const generators = {
  postgres_superuser_password: () => randomToken(),
  postgres_owner_password: () => randomToken(),
  postgres_app_password: () => randomToken(),
  /** Of the role that shards copy their state as. */
  postgres_shards_password: () => randomToken(),
  postgres_replication_password: () => randomToken(),
  /** Of the users in nomad/tasks/redis-users.yaml. */
  redis_shards_password: () => randomToken(),
  redis_api_password: () => randomToken(),
  redis_workers_password: () => randomToken(),
  redis_calls_password: () => randomToken(),
  redis_operator_password: () => randomToken(),
  /** Clients of the shards hold it; each shard gets a token derived from it (shard_secrets.ts). */
  shard_token: () => randomToken(),
  /** A ring (the first key encrypts, all decrypt) from which each shard's own is derived (shard_secrets.ts). */
  shard_keys: () => `s1:${randomBytes(32).toString("base64")}`,
  /** A ring as well: seals what is secret in the database. */
  data_keys: () => `k1:${randomBytes(32).toString("base64")}`,
  admin_key: () => `psk_${randomBytes(4).toString("hex")}_${randomToken()}`,
  simulator_seed: () => randomBytes(32).toString("hex"),
  /** The voice carrier's account: the simulator's, unless an operator writes a real one over it. */
  twilio_account_sid: () => `AC${randomBytes(16).toString("hex")}`,
  twilio_auth_token: () => randomToken(),
  calls_token: () => randomToken(),
  /** Of the simulator's control API. */
  simulator_token: () => randomToken(),
  call_agent_token: () => randomToken(),
} satisfies Record<string, () => string>;

export type SecretName = keyof typeof generators;
export type Secrets = Record<SecretName, string>;

/** Values that are made elsewhere, or derived from the generated ones. */
export type Given = { wa_noise_root: string; tls_authority: string; tls_certificate: string; tls_key: string };

/** Addresses of the data services, as host:port. */
export type Addresses = { postgres: string; replica: string; pooler: string; redis: string };

/** Names resolve in tasks by nomad/tasks/hosts.ctmpl; a pooler is on every node. */
export const addressesOf = (ports: Readonly<Record<string, string>>): Addresses => ({
  postgres: `postgres.service.consul:${ports["postgres"]}`,
  replica: `postgres-replica.service.consul:${ports["postgres_replica"]}`,
  pooler: `127.0.0.1:${ports["pgbouncer"]}`,
  redis: `redis.service.consul:${ports["redis"]}`,
});

/** Makes items of a job's variable. Settings are in capitals; templates of the job file read the others. */
type Items = (secrets: Secrets & Given, at: Addresses) => Record<string, string>;

const databaseUrl = (role: string, secret: string, address: string) => {
  const { login, password } = loginOf(role, presented(secret));
  return `postgres://${login}:${password}@${address}/prosaas`;
};
const asOwner: Items = (secrets, at) => ({
  DATABASE_URL: databaseUrl("prosaas", secrets.postgres_owner_password, at.postgres),
});
const throughPooler: Items = (secrets, at) => ({
  DATABASE_URL_POOLER: databaseUrl("prosaas_app", secrets.postgres_app_password, at.pooler),
});
const asShard: Items = (secrets, at) => ({
  DATABASE_URL_POOLER: databaseUrl("prosaas_shards", secrets.postgres_shards_password, at.pooler),
});
const ofReplica: Items = (secrets, at) => ({
  DATABASE_URL_READ: databaseUrl("prosaas_app", secrets.postgres_app_password, at.replica),
});
/** Passwords of the logins of services, by their items. */
const ofLogins: Items = (secrets) => ({
  ...loginItems("app", secrets.postgres_app_password),
  ...loginItems("shards", secrets.postgres_shards_password),
});
const redisAs =
  (user: "shards" | "api" | "workers" | "calls"): Items =>
  (secrets, at) => ({ REDIS_URL: `redis://${user}:${presented(secrets[`redis_${user}_password`])}@${at.redis}/0` });
const ofCarrier: Items = (secrets) => ({
  TWILIO_ACCOUNT_SID: secrets.twilio_account_sid,
  TWILIO_AUTH_TOKEN: presented(secrets.twilio_auth_token),
});

const itemsOfJob: Record<string, readonly Items[]> = {
  postgres: [
    ofLogins,
    (secrets) => ({
      superuser_password: presented(secrets.postgres_superuser_password),
      owner_password: presented(secrets.postgres_owner_password),
      replication_password: presented(secrets.postgres_replication_password),
    }),
  ],
  "postgres-replica": [(secrets) => ({ replication_password: presented(secrets.postgres_replication_password) })],
  redis: [
    (secrets) => ({
      shards_password: accepted(secrets.redis_shards_password),
      api_password: accepted(secrets.redis_api_password),
      workers_password: accepted(secrets.redis_workers_password),
      calls_password: accepted(secrets.redis_calls_password),
      operator_password: accepted(secrets.redis_operator_password),
    }),
  ],
  pgbouncer: [ofLogins],
  migrate: [asOwner, (secrets) => ({ ADMIN_KEY: secrets.admin_key })],
  indexer: [asOwner],
  simulator: [
    ofCarrier,
    (secrets) => ({
      // The carrier's side accepts each value and signs with the first.
      TWILIO_AUTH_TOKEN: secrets.twilio_auth_token,
      SIMULATOR_SEED: secrets.simulator_seed,
      SIMULATOR_TOKEN: secrets.simulator_token,
      SIMULATOR_CA_FILE: "/secrets/tls_authority",
      // Its media host presents the edge's certificate, and workers trust its authority.
      media_certificate: secrets.tls_certificate,
      media_key: secrets.tls_key,
      tls_authority: secrets.tls_authority,
    }),
  ],
  "wa-shards": [redisAs("shards"), asShard, (secrets) => ({ WA_NOISE_ROOT: secrets.wa_noise_root })],
  workers: [
    throughPooler,
    redisAs("workers"),
    ofCarrier,
    (secrets) => ({
      DATA_KEYS: secrets.data_keys,
      SHARD_TOKEN: presented(secrets.shard_token),
      NODE_EXTRA_CA_CERTS: "/secrets/media_ca",
      media_ca: secrets.tls_authority,
    }),
  ],
  calls: [
    throughPooler,
    redisAs("calls"),
    ofCarrier,
    (secrets) => {
      const [, secondary] = valuesOf(secrets.twilio_auth_token);
      return {
        CALL_AGENT_TOKEN: presented(secrets.call_agent_token),
        CALLS_TOKEN: accepted(secrets.calls_token),
        ...(secondary === undefined ? {} : { TWILIO_AUTH_TOKEN_SECONDARY: secondary }),
      };
    },
  ],
  "call-agent": [(secrets) => ({ CALL_AGENT_TOKEN: accepted(secrets.call_agent_token) })],
  api: [
    throughPooler,
    ofReplica,
    redisAs("api"),
    (secrets) => ({
      CALLS_TOKEN: presented(secrets.calls_token),
      DATA_KEYS: secrets.data_keys,
      SHARD_TOKEN: presented(secrets.shard_token),
    }),
  ],
  nginx: [(secrets) => ({ tls_certificate: secrets.tls_certificate, tls_key: secrets.tls_key })],
};

/** The existing secrets, and new ones for the names that are missing. */
export function completeSecrets(existing: Readonly<Record<string, string>>): { secrets: Secrets; added: SecretName[] } {
  const added: SecretName[] = [];
  const secrets = Object.fromEntries(
    Object.entries(generators).map(([name, generate]) => {
      const present = existing[name];
      if (present !== undefined && present !== "") return [name, present];
      added.push(name as SecretName);
      return [name, generate()];
    }),
  ) as Secrets;
  return { secrets, added };
}

/**
 * Items of a job's variable: what the job needs, and whatever else an operator has put there. Settings that an operator
 * put there under their former lower-case names are carried over.
 */
export function jobItems(
  job: string,
  secrets: Secrets & Given,
  at: Addresses,
  existing: Readonly<Record<string, string>>,
): Record<string, string> {
  const wanted = (itemsOfJob[job] ?? []).map((items) => items(secrets, at));
  const former = Object.entries(existing)
    .filter(([item]) => isRetired(job, item) && reads(job, item.toUpperCase()) && !sharedByShards.has(item))
    .map(([item, value]) => [item.toUpperCase(), value] as const);
  return { ...Object.fromEntries(former), ...existing, ...Object.assign({}, ...wanted) };
}

/** Items that all shards shared. A shard must not get them under the names of its own. */
const sharedByShards: ReadonlySet<string> = new Set(["shard_token", "auth_keys"]);

/** Items in lower case of a job that runs a service of ours, as former versions of its job file read them. */
const formerItems =
  /^(app_password|owner_password|redis_(\w+_)?password|seed|token|former_auth_keys|(shard_token|auth_keys)(_\d+)?)$/;

/**
 * True for an item that former versions of a job read. It stays until the present version runs, because templates of
 * running tasks may be rendered again.
 */
export function isRetired(job: string, item: string): boolean {
  // The password of Redis's own user, which services without users of their own shared.
  if (job === "redis") return item === "password";
  return (
    serviceJobs.includes(job) && settingOf(item) === null && (formerItems.test(item) || reads(job, item.toUpperCase()))
  );
}

type Variable = { Items: Record<string, string>; ModifyIndex: number };

export async function readVariable(nomad: Nomad, path: string): Promise<Variable> {
  return (await orNull(nomad<Variable>("GET", `/v1/var/${path}`))) ?? { Items: {}, ModifyIndex: 0 };
}

/** Writes only what differs, and only over what was read. @throws HttpFailure 409 if it has changed since */
export async function writeVariable(
  nomad: Nomad,
  path: string,
  items: Record<string, string>,
  read: Variable,
): Promise<boolean> {
  if (Bun.deepEquals(items, read.Items)) return false;
  try {
    await nomad("PUT", `/v1/var/${path}?cas=${read.ModifyIndex}`, { Path: path, Items: items });
  } catch (error) {
    if (!(error instanceof HttpFailure && error.status === 409)) throw error;
    // Nomad answers with the values, which are no part of a message.
    throw new HttpFailure(409, `The variable ${path} was changed by another command: run this again.`);
  }
  return true;
}

/** Reads `prosaas/secrets`, and generates what is missing. */
export async function ensureSecrets(nomad: Nomad): Promise<{ secrets: Secrets; added: SecretName[] }> {
  const variable = await readVariable(nomad, "prosaas/secrets");
  const { secrets, added } = completeSecrets(variable.Items);
  if (added.length > 0) await writeVariable(nomad, "prosaas/secrets", { ...variable.Items, ...secrets }, variable);
  return { secrets, added };
}

/** Removes what no job reads any more; returns the jobs whose variable changed. */
export async function retireSecrets(nomad: Nomad): Promise<string[]> {
  const changed: string[] = [];
  // Redis last: that turns off its own user, whom tasks of a former version may still use.
  for (const job of [...serviceJobs, "redis"]) {
    const path = `nomad/jobs/${job}`;
    const variable = await readVariable(nomad, path);
    const items = Object.fromEntries(Object.entries(variable.Items).filter(([item]) => !isRetired(job, item)));
    if (await writeVariable(nomad, path, items, variable)) changed.push(job);
  }
  return changed;
}

/** Gives each job its own secrets; returns the jobs whose variable changed. */
export async function distributeSecrets(nomad: Nomad, secrets: Secrets & Given, at: Addresses): Promise<string[]> {
  const changed: string[] = [];
  for (const job of Object.keys(itemsOfJob)) {
    const path = `nomad/jobs/${job}`;
    const variable = await readVariable(nomad, path);
    if (await writeVariable(nomad, path, jobItems(job, secrets, at, variable.Items), variable)) changed.push(job);
  }
  return changed;
}
