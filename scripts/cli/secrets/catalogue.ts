import { randomBytes } from "node:crypto";
import { randomToken } from "../../../lib/core/secret.ts";
import { loginOf, otherLogin, presented, valuesOf } from "../../stack/secret_values.ts";
import { accountSid, adminKey, keyRing, loginPassword, password, token } from "./formats.ts";
import type { Format } from "./formats.ts";
import {
  accepts,
  acceptsLive,
  asLogin,
  bothLogins,
  hasAll,
  inUrl,
  presents,
  rereads,
  shardRings,
  shardTokens,
} from "./holders.ts";
import type { Holder } from "./holders.ts";
import type { Step } from "./steps.ts";

/** A secret of the platform: an item of `prosaas/secrets`, from which items of jobs' variables are made. */
export type Secret = {
  name: string;
  description: string;
  format: Format;
  holders: readonly Holder[];
  rotation?: Rotation;
  /** A new one does not open what the old one sealed. */
  irreplaceable?: true;
};

export type Rotation = {
  steps: readonly Step[];
  /** Makes the next value; undefined where someone else does, and the operator gives it. */
  next?: (secret: string) => string;
  /** Why old values stay. */
  keeps?: string;
  /** The job that checks the value. Where it does not run, another service does, which no command of ours reaches. */
  server?: string;
};

const overlap = (server?: string): Rotation => ({
  steps: ["accept", "present", "retire"],
  next: () => randomToken(),
  ...(server === undefined ? {} : { server }),
});

/** A key under the next free number, such as k2 after k1. */
export function nextKey(ring: string): string {
  const ids = valuesOf(ring).map((key) => key.slice(0, key.indexOf(":")));
  const highest = Math.max(...ids.map((id) => Number(/\d+$/.exec(id)?.[0] ?? 0)));
  return `${ids[0]!.replace(/\d+$/, "")}${highest + 1}:${randomBytes(32).toString("base64")}`;
}

const ofRedis = (user: string, job: string | null): Secret => ({
  name: `redis_${user}_password`,
  description: job === null ? "Redis, for operators' commands" : `Redis, as the user ${user}`,
  format: password,
  holders: [acceptsLive("redis", `${user}_password`), ...(job === null ? [] : [inUrl(job, "REDIS_URL")])],
  rotation: overlap("redis"),
});

/** The password of a role that services log in as: a rotation goes to its other login. */
const ofServices = (name: string, clients: readonly (readonly [job: string, item: string])[]): Secret => {
  const role = `prosaas_${name}`;
  const next = (secret: string) =>
    loginOf(role, presented(secret)).login === role ? `${otherLogin(role)}:${randomToken()}` : randomToken();
  return {
    name: `postgres_${name}_password`,
    description: `Postgres, as the role ${role}`,
    format: loginPassword(role),
    holders: [
      bothLogins("postgres", name),
      bothLogins("pgbouncer", name),
      ...clients.map(([job, item]) => asLogin(job, item, role)),
    ],
    rotation: { ...overlap("postgres"), next },
  };
};

/** The password of a role that no service logs in as: it changes at once. */
const ofOperators = (name: string, description: string, holders: readonly Holder[]): Secret => ({
  name: `postgres_${name}_password`,
  description: `Postgres, ${description}`,
  format: password,
  holders,
  rotation: { steps: ["present", "retire"], next: () => randomToken(), server: "postgres" },
});

const both = ["accept", "present"] as const;
const services = ["api", "workers", "wa-shards", "calls", "simulator", "call-agent"] as const;

export const catalogue: readonly Secret[] = [
  {
    name: "shard_token",
    description: "root of the shards' tokens; their clients derive each from it",
    format: token,
    holders: [shardTokens, presents("workers", "SHARD_TOKEN"), presents("api", "SHARD_TOKEN")],
    rotation: overlap("wa-shards"),
  },
  {
    name: "shard_keys",
    description: "root of the key rings that seal logins and journals on the shards",
    format: keyRing,
    holders: [shardRings],
    rotation: {
      steps: ["present"],
      next: nextKey,
      keeps: "copies, and logins that were not opened since, are sealed under it",
    },
    irreplaceable: true,
  },
  {
    name: "data_keys",
    description: "seals webhook secrets and files",
    format: keyRing,
    holders: [hasAll("workers", "DATA_KEYS", both), hasAll("api", "DATA_KEYS", both)],
    rotation: { steps: both, next: nextKey, keeps: "stored files and webhook secrets are sealed under it" },
    irreplaceable: true,
  },
  {
    name: "calls_token",
    description: "the API presents it to the calls service",
    format: token,
    holders: [accepts("calls", "CALLS_TOKEN"), presents("api", "CALLS_TOKEN")],
    rotation: overlap("calls"),
  },
  {
    name: "call_agent_token",
    description: "the calls service presents it to the voice agent",
    format: token,
    holders: [accepts("call-agent", "CALL_AGENT_TOKEN"), presents("calls", "CALL_AGENT_TOKEN")],
    rotation: overlap("call-agent"),
  },
  {
    name: "metrics_token",
    description: "Prometheus presents it to /metrics",
    format: token,
    holders: [...services.map((job) => accepts(job, "METRICS_TOKEN")), rereads("prometheus", "metrics_token")],
    rotation: overlap(),
  },
  {
    name: "twilio_auth_token",
    description: "the voice carrier's, which signs its webhooks",
    format: token,
    holders: [
      hasAll("simulator", "TWILIO_AUTH_TOKEN", ["accept", "promote", "retire"]),
      {
        job: "calls",
        rolls: ["accept", "present", "retire"],
        names: (items) => ["TWILIO_AUTH_TOKEN", "TWILIO_AUTH_TOKEN_SECONDARY"].filter((item) => item in items),
        items: (secret, before) => {
          if (before["TWILIO_AUTH_TOKEN"] === undefined) return {};
          const [TWILIO_AUTH_TOKEN, TWILIO_AUTH_TOKEN_SECONDARY] = valuesOf(secret);
          return { TWILIO_AUTH_TOKEN, TWILIO_AUTH_TOKEN_SECONDARY };
        },
        read: (items) => items["TWILIO_AUTH_TOKEN"] ?? null,
      },
      presents("workers", "TWILIO_AUTH_TOKEN"),
    ],
    rotation: { steps: ["accept", "present", "promote", "retire"] },
  },
  { name: "twilio_account_sid", description: "the voice carrier's account", format: accountSid, holders: [] },
  ofServices("app", [
    ["workers", "DATABASE_URL_POOLER"],
    ["calls", "DATABASE_URL_POOLER"],
    ["api", "DATABASE_URL_POOLER"],
    ["api", "DATABASE_URL_READ"],
  ]),
  ofServices("shards", [["wa-shards", "DATABASE_URL_POOLER"]]),
  ofOperators("owner", "as the role that owns the tables", [
    rereads("postgres", "owner_password"),
    { ...inUrl("migrate", "DATABASE_URL"), rolls: [] },
    { ...inUrl("indexer", "DATABASE_URL"), rolls: [] },
  ]),
  ofOperators("superuser", "as its superuser", [rereads("postgres", "superuser_password")]),
  ofOperators("replication", "as the replica", [
    rereads("postgres", "replication_password"),
    rereads("postgres-replica", "replication_password"),
  ]),
  ofRedis("api", "api"),
  ofRedis("workers", "workers"),
  ofRedis("shards", "wa-shards"),
  ofRedis("calls", "calls"),
  ofRedis("operator", null),
  {
    name: "admin_key",
    description: "the first admin key of the API, which the job migrate stores as a hash",
    format: adminKey,
    holders: [hasAll("migrate", "ADMIN_KEY", [])],
    irreplaceable: true,
  },
];

/** The secret of a name; undefined if there is none. */
export const secretOf = (name: string): Secret | undefined => catalogue.find((secret) => secret.name === name);

/** The formats of secrets for --help, each with the names of its secrets. */
export function describeFormats(secrets: readonly Secret[] = catalogue): string {
  const names = new Map<string, string[]>();
  for (const { name, format } of secrets)
    names.set(format.description, [...(names.get(format.description) ?? []), name]);
  return [...names].map(([format, ofFormat]) => `  ${format}:\n${lines(ofFormat)}`).join("\n");
}

const namesPerLine = 3;

function lines(names: readonly string[]): string {
  const rows = Array.from({ length: Math.ceil(names.length / namesPerLine) }, (_, row) =>
    names.slice(row * namesPerLine, (row + 1) * namesPerLine),
  );
  return rows.map((row) => `    ${row.join(", ")}`).join("\n");
}
