import { randomBytes } from "node:crypto";
import { orNull } from "./nomad.ts";
import type { Nomad } from "./nomad.ts";

// Secrets live in Nomad Variables only. `prosaas/secrets` holds each once, for operators and for this program; no
// task can read that path. `nomad/jobs/<job>` holds a job's own ones, which is what Nomad lets its tasks read.
//
// A production cluster is given its own values in the same places, from a file that only its owner can read:
//
//   nomad var put -in json nomad/jobs/api - < api.json
//   {"Items": {"app_password": "…", "redis_api_password": "…", "shard_token": "…"}}
//
// Passwords stand in URLs: percent-encode what a URL would not take. The head of each file in nomad/jobs names the
// items of that job.

/** Every secret by its name in `prosaas/secrets`, and how it is made. */
const generators = {
  postgres_superuser_password: () => token(32),
  postgres_owner_password: () => token(32),
  postgres_app_password: () => token(32),
  postgres_replication_password: () => token(32),
  /** Of the users in nomad/data/redis.nomad.hcl. */
  redis_shards_password: () => token(32),
  redis_api_password: () => token(32),
  redis_workers_password: () => token(32),
  redis_calls_password: () => token(32),
  redis_operator_password: () => token(32),
  /** Clients of the shards hold it; each shard gets a token derived from it (shard_secrets.ts). */
  shard_token: () => token(32),
  /** A ring (the first key encrypts, all decrypt) from which each shard's own is derived (shard_secrets.ts). */
  shard_keys: () => `s1:${randomBytes(32).toString("base64")}`,
  /** A ring as well: seals what is secret in the database. */
  data_keys: () => `k1:${randomBytes(32).toString("base64")}`,
  admin_key: () => `psk_${randomBytes(4).toString("hex")}_${token(32)}`,
  simulator_seed: () => randomBytes(32).toString("hex"),
  /** The voice carrier's account: the simulator's, unless an operator puts a real one in their place. */
  twilio_account_sid: () => `AC${randomBytes(16).toString("hex")}`,
  twilio_auth_token: () => token(32),
  calls_token: () => token(32),
  /** Of the simulator's control API. */
  simulator_token: () => token(32),
  call_agent_token: () => token(32),
} satisfies Record<string, () => string>;

export type SecretName = keyof typeof generators;
export type Secrets = Record<SecretName, string>;

/** What is put in beside the generated ones: made elsewhere, or derived from them. */
export type Given = { wa_noise_root: string; tls_authority: string; tls_certificate: string; tls_key: string };

/** The items of each job's variable, by the secret that each is. */
const itemsOfJob: Record<string, Record<string, SecretName | keyof Given>> = {
  postgres: {
    superuser_password: "postgres_superuser_password",
    owner_password: "postgres_owner_password",
    app_password: "postgres_app_password",
    replication_password: "postgres_replication_password",
  },
  "postgres-replica": { replication_password: "postgres_replication_password" },
  redis: {
    shards_password: "redis_shards_password",
    api_password: "redis_api_password",
    workers_password: "redis_workers_password",
    calls_password: "redis_calls_password",
    operator_password: "redis_operator_password",
  },
  pgbouncer: { app_password: "postgres_app_password" },
  migrate: { owner_password: "postgres_owner_password", admin_key: "admin_key" },
  indexer: { owner_password: "postgres_owner_password" },
  simulator: {
    seed: "simulator_seed",
    token: "simulator_token",
    // Its media host shows the edge's certificate, and workers trust it.
    media_certificate: "tls_certificate",
    media_key: "tls_key",
    tls_authority: "tls_authority",
    twilio_account_sid: "twilio_account_sid",
    twilio_auth_token: "twilio_auth_token",
  },
  "wa-shards": {
    redis_shards_password: "redis_shards_password",
    wa_noise_root: "wa_noise_root",
  },
  workers: {
    app_password: "postgres_app_password",
    data_keys: "data_keys",
    media_ca: "tls_authority",
    redis_workers_password: "redis_workers_password",
    shard_token: "shard_token",
    twilio_account_sid: "twilio_account_sid",
    twilio_auth_token: "twilio_auth_token",
  },
  calls: {
    app_password: "postgres_app_password",
    call_agent_token: "call_agent_token",
    calls_token: "calls_token",
    redis_calls_password: "redis_calls_password",
    twilio_account_sid: "twilio_account_sid",
    twilio_auth_token: "twilio_auth_token",
  },
  "call-agent": { call_agent_token: "call_agent_token" },
  api: {
    app_password: "postgres_app_password",
    calls_token: "calls_token",
    data_keys: "data_keys",
    redis_api_password: "redis_api_password",
    shard_token: "shard_token",
  },
  nginx: { tls_certificate: "tls_certificate", tls_key: "tls_key" },
};

const token = (bytes: number) => randomBytes(bytes).toString("base64url");

/** The secrets there are, completed by new ones for the names that are missing. */
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

/** Items of a job's variable: what the job needs, and whatever else an operator has put there. */
export function jobItems(
  job: string,
  secrets: Secrets & Given,
  existing: Readonly<Record<string, string>>,
): Record<string, string> {
  const wanted = Object.entries(itemsOfJob[job] ?? {}).map(([item, name]) => [item, secrets[name]] as const);
  return { ...existing, ...Object.fromEntries(wanted) };
}

type Variable = { Items: Record<string, string>; ModifyIndex: number };

export async function readVariable(nomad: Nomad, path: string): Promise<Variable> {
  return (await orNull(nomad<Variable>("GET", `/v1/var/${path}`))) ?? { Items: {}, ModifyIndex: 0 };
}

/** Writes only what differs, and only over what was read. */
export async function writeVariable(
  nomad: Nomad,
  path: string,
  items: Record<string, string>,
  read: Variable,
): Promise<boolean> {
  if (Bun.deepEquals(items, read.Items)) return false;
  await nomad("PUT", `/v1/var/${path}?cas=${read.ModifyIndex}`, { Path: path, Items: items });
  return true;
}

/** Reads `prosaas/secrets`, making what is missing. */
export async function ensureSecrets(nomad: Nomad): Promise<{ secrets: Secrets; added: SecretName[] }> {
  const variable = await readVariable(nomad, "prosaas/secrets");
  const { secrets, added } = completeSecrets(variable.Items);
  if (added.length > 0) await writeVariable(nomad, "prosaas/secrets", { ...variable.Items, ...secrets }, variable);
  return { secrets, added };
}

/** Items that former versions of a job read; they are removed once its present version runs. */
const retiredItems: Record<string, readonly string[]> = {
  "wa-shards": ["shard_token", "auth_keys", "redis_password"],
  api: ["redis_password"],
  workers: ["redis_password"],
  calls: ["redis_password"],
  // Last: it turns Redis's own user off.
  redis: ["password"],
};

/** Removes what no job reads any more; returns the jobs whose variable changed. */
export async function retireSecrets(nomad: Nomad): Promise<string[]> {
  const changed: string[] = [];
  for (const [job, retired] of Object.entries(retiredItems)) {
    const path = `nomad/jobs/${job}`;
    const variable = await readVariable(nomad, path);
    const items = Object.fromEntries(Object.entries(variable.Items).filter(([item]) => !retired.includes(item)));
    if (await writeVariable(nomad, path, items, variable)) changed.push(job);
  }
  return changed;
}

/** Gives each job its own secrets; returns the jobs whose variable changed. */
export async function distributeSecrets(nomad: Nomad, secrets: Secrets & Given): Promise<string[]> {
  const changed: string[] = [];
  for (const job of Object.keys(itemsOfJob)) {
    const path = `nomad/jobs/${job}`;
    const variable = await readVariable(nomad, path);
    if (await writeVariable(nomad, path, jobItems(job, secrets, variable.Items), variable)) changed.push(job);
  }
  return changed;
}
