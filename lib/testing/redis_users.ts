import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256Hex } from "../core/secret.ts";

/** The users of nomad/tasks/redis-users.yaml, and the operator. */
export const redisUsers = ["shards", "api", "workers", "calls", "operator"] as const;
export type RedisUser = (typeof redisUsers)[number];

const passwordOf = (user: RedisUser) => `password-of-${user}`;

/**
 * Writes the job file's users into a file for `redis-server --aclfile`, with test passwords. Adds Redis's default user
 * with all rights and no password, so that tests can read and change keys that a service may not access.
 */
export function writeRedisUsers(folder: string): string {
  const file = join(folder, "users.acl");
  const form = /^\s*user (\w+) on\{\{ template "hashes" \.\w+_password \}\} (.*)$/gm;
  const users = [...templateOfJob().matchAll(form)].map(([, name, rules]) => ({
    name: name as RedisUser,
    rules: rules!,
  }));
  const missing = redisUsers.filter((name) => !users.some((user) => user.name === name));
  if (missing.length > 0) throw new Error(`nomad/data/redis.nomad.hcl has no user ${missing.join(", ")}`);
  const lines = users.map(({ name, rules }) => `user ${name} on #${sha256Hex(passwordOf(name))} ${rules}`);
  writeFileSync(file, ["user default on nopass ~* &* +@all", ...lines, ""].join("\n"), { mode: 0o600 });
  return file;
}

/** Returns the URL of a Redis that runs with `writeRedisUsers`, for one of its users. */
export function asRedisUser(url: string, user: RedisUser): string {
  const given = new URL(url);
  given.username = user;
  given.password = passwordOf(user);
  return given.toString();
}

/** Returns the job file's template of users. Nomad evaluates its HCL expressions. */
function templateOfJob(): string {
  const root = join(import.meta.dir, "../..");
  const command = ["nomad", "job", "run", "-output", "nomad/data/redis.nomad.hcl"];
  const { stdout, stderr, exitCode } = Bun.spawnSync(command, { cwd: root, stdout: "pipe", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`nomad/data/redis.nomad.hcl cannot be read: ${stderr.toString()}`);
  type Template = { DestPath: string; EmbeddedTmpl: string };
  const { Job: job } = JSON.parse(stdout.toString()) as {
    Job: { TaskGroups: { Tasks: { Templates: Template[] }[] }[] };
  };
  return job.TaskGroups[0]!.Tasks[0]!.Templates.find(({ DestPath }) => DestPath === "secrets/users.acl")!.EmbeddedTmpl;
}
