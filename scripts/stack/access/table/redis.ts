import type { Redis } from "ioredis";
import { queueNames } from "../../../../lib/queues/index.ts";
import { brief, rowsOf } from "./row.ts";
import type { Section } from "./row.ts";

type Command = readonly [string, ...string[]];
type Family = { name: string; read: Command; write: Command };

/** A key of each kind beside the queues, with a command that reads it and one that changes it. */
const families: readonly Family[] = [
  { name: "leases", read: ["GET", "prosaas:lease:send:1"], write: ["SET", "prosaas:lease:send:1", "x"] },
  { name: "rate limits", read: ["GET", "prosaas:rate:1"], write: ["SET", "prosaas:rate:1", "x"] },
  { name: "noted limits", read: ["GET", "prosaas:limit-told:1"], write: ["SET", "prosaas:limit-told:1", "x"] },
  {
    name: "live events",
    read: ["XRANGE", "prosaas:{events}:all", "-", "+"],
    write: ["XADD", "prosaas:{events}:all", "*", "a", "b"],
  },
  {
    name: "calls",
    read: ["HGETALL", "prosaas:{calls}:call:CA1"],
    write: ["HSET", "prosaas:{calls}:call:CA1", "step", "ended"],
  },
  {
    name: "call slots",
    read: ["ZRANGE", "prosaas:{calls}:active", "0", "-1"],
    write: ["ZADD", "prosaas:{calls}:active", "1", "CA1"],
  },
  { name: "other keys", read: ["GET", "other"], write: ["SET", "other", "x"] },
];

const also: readonly { name: string; command: Command }[] = [
  { name: "list keys", command: ["KEYS", "*"] },
  { name: "delete everything", command: ["FLUSHALL"] },
  { name: "change settings", command: ["CONFIG", "SET", "maxmemory", "1"] },
  { name: "change users", command: ["ACL", "SETUSER", "x"] },
  { name: "end connections", command: ["CLIENT", "KILL", "TYPE", "normal"] },
  { name: "shut down", command: ["SHUTDOWN", "NOSAVE"] },
  { name: "listen to channels", command: ["SUBSCRIBE", "x"] },
];

const listOf = (queue: string) => `prosaas:${queue}:wait`;

/** Has Redis judge a command of every kind for every user. */
export async function measureRedis(redis: Redis, users: readonly string[]): Promise<Section> {
  const may = async (user: string, command: Command) => (await redis.call("ACL", "DRYRUN", user, ...command)) === "OK";
  const queues = queueNames.map((name) => ({ name }));
  const rows = await rowsOf(
    users.map((user) => [user, user] as const),
    async (user) => {
      const chosen = async <T extends { name: string }>(all: readonly T[], command: (one: T) => Command) => {
        const results = await Promise.all(all.map((one) => may(user, command(one))));
        return all.filter((_, index) => results[index]).map(({ name }) => name);
      };
      const names = async <T extends { name: string }>(all: readonly T[], command: (one: T) => Command) =>
        brief(
          await chosen(all, command),
          all.map(({ name }) => name),
        );
      return {
        "enqueues in": await names(queues, ({ name }) => ["LPUSH", listOf(name), "1"]),
        "takes jobs of": await names(queues, ({ name }) => ["RPOP", listOf(name)]),
        reads: await names(families, ({ read }) => read),
        changes: await names(families, ({ write }) => write),
        "may also": await chosen(also, ({ command }) => command),
      };
    },
  );
  return { title: "Redis", columns: Object.keys(rows[0]!.allowed), rows };
}
