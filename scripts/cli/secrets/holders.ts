import { shardKeys } from "../../../lib/contracts/shard/secrets.ts";
import { accepted, loginItems, loginOf, otherLogin, presented } from "../../stack/secret_values.ts";
import { tokensOfShard } from "../../stack/shard_secrets.ts";
import type { Step } from "./steps.ts";
import type { Items } from "./variables.ts";

/** A job whose variable has a secret, or values that are made of it. */
export type Holder = {
  job: string;
  /** The steps of a rotation after which the job's allocations are replaced. */
  rolls: readonly Step[];
  /** The items of the job's variable that contain it. */
  names(items: Items): string[];
  /** Those items with this secret. No item is added to a job that does without. Undefined removes one. */
  items(secret: string, before: Items): ItemChanges;
  /** The secret as the variable has it; null if it cannot be taken from there. */
  read(items: Items): string | null;
};

export type ItemChanges = Record<string, string | undefined>;

/** The items after the changes. */
export function changed(before: Items, changes: ItemChanges): Items {
  const after = Object.entries({ ...before, ...changes });
  return Object.fromEntries(after.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** One item, whose value `make` makes of the secret. */
function holder(
  job: string,
  item: string,
  rolls: readonly Step[],
  make: (secret: string, before: string) => string,
): Holder {
  const names = (items: Items) => (items[item] === undefined ? [] : [item]);
  return {
    job,
    rolls,
    names,
    items: (secret, before) => Object.fromEntries(names(before).map((name) => [name, make(secret, before[name]!)])),
    read: (items) => items[item] ?? null,
  };
}

/** A client: has the first value, and follows when that changes. */
export const presents = (job: string, item: string): Holder => holder(job, item, ["present"], presented);

/** A client that reads its file at each use. */
export const rereads = (job: string, item: string): Holder => holder(job, item, [], presented);

/** The service that checks the values. */
export const accepts = (job: string, item: string): Holder => holder(job, item, ["accept", "retire"], accepted);

/** A server that is given its values while it runs, so that no client loses its connection. */
export const acceptsLive = (job: string, item: string): Holder => holder(job, item, [], accepted);

/** All values in their order. */
export const hasAll = (job: string, item: string, rolls: readonly Step[]): Holder =>
  holder(job, item, rolls, (secret) => secret);

/** A client whose URL has the first value as its password. */
export const inUrl = (job: string, item: string): Holder => ({
  ...holder(job, item, ["present"], (secret, before) => {
    const url = new URL(before);
    url.password = presented(secret);
    return url.href;
  }),
  read: (items) => (items[item] === undefined ? null : decodeURIComponent(new URL(items[item]).password) || null),
});

/** A server or a pooler with the passwords of both logins of `prosaas_<name>`. It gets them while it runs. */
export function bothLogins(job: string, name: string): Holder {
  const [own, other] = [`${name}_password`, `${name}_b_password`];
  const names = (items: Items) => [own, other].filter((item) => items[item] !== undefined);
  return {
    job,
    rolls: [],
    names,
    items: (secret, before) => (names(before).length === 0 ? {} : { [other]: undefined, ...loginItems(name, secret) }),
    read: (items) => items[own] || (items[other] ? `${otherLogin(`prosaas_${name}`)}:${items[other]}` : null),
  };
}

/** A client whose URL has the current login of a role, and its password. */
export const asLogin = (job: string, item: string, role: string): Holder => ({
  ...holder(job, item, ["present"], (secret, before) => {
    const url = new URL(before);
    const { login, password } = loginOf(role, presented(secret));
    [url.username, url.password] = [login, password];
    return url.href;
  }),
  read: (items) => {
    if (items[item] === undefined) return null;
    const { username, password } = new URL(items[item]);
    return username === otherLogin(role) ? `${username}:${password}` : decodeURIComponent(password) || null;
  },
});

/** The items NAME_1, NAME_2, … of the shards, each with what `make` derives for its number. */
function ofShards(name: string, rolls: readonly Step[], make: (secret: string, shard: number) => string): Holder {
  const form = new RegExp(`^${name}_(\\d+)$`);
  const names = (items: Items) => Object.keys(items).filter((item) => form.test(item));
  return {
    job: "wa-shards",
    rolls,
    names,
    items: (secret, before) =>
      Object.fromEntries(names(before).map((item) => [item, make(secret, Number(form.exec(item)![1]))])),
    read: () => null,
  };
}

/** A token of each shard is derived from every value. */
export const shardTokens = ofShards("SHARD_TOKEN", ["accept", "retire"], tokensOfShard);

/** A shard alone reads what it seals, so that no other has to know a new key before. */
export const shardRings = ofShards("AUTH_KEYS", ["present"], shardKeys);
