import { createHmac } from "node:crypto";
import { randomToken } from "../../lib/core/secret.ts";
import { HttpFailure } from "../cli/operator/http.ts";
import type { Job, Nomad, Task } from "./nomad.ts";
import { readVariable, writeVariable } from "./secrets.ts";
import { reads, serviceJobs, settingOf } from "./settings/known.ts";

/*
 * A template with change_mode "restart" restarts every allocation of its job within seconds of a changed secret or
 * setting. The job files' templates therefore leave running tasks alone ("noop"), and a job's meta names the version of
 * what they read: registering the job with another version replaces its allocations by its `update` block, one at a
 * time.
 */
export const secretVersionKey = "secret_version";

/** Jobs that get new passwords while they run (scripts/cli/secrets): a restart would disconnect every client. */
const takePasswordsLive: ReadonlySet<string> = new Set(["postgres", "postgres-replica", "redis"]);

/** The templates of a job that read Nomad Variables and reach running tasks by new allocations only. */
const templatesOf = ({ ID, TaskGroups }: Job): string[] =>
  (takePasswordsLive.has(ID) ? [] : TaskGroups)
    .flatMap(({ Tasks }) => Tasks ?? [])
    .flatMap((task) => {
      const reloaded = reloadedFiles(task);
      return (task.Templates ?? [])
        .filter(({ EmbeddedTmpl }) => EmbeddedTmpl.includes("nomadVar"))
        .filter(({ ChangeMode, DestPath }) => ChangeMode === "noop" && !reloaded.includes(`/${DestPath}`))
        .map(({ EmbeddedTmpl }) => EmbeddedTmpl);
    });

/** The files that a task reads again after each change, by nomad/tasks/reload.sh. */
function reloadedFiles({ Config }: Task): string[] {
  const [script, ...args] = Config?.args ?? [];
  return script?.endsWith("/reload.sh") ? args.slice(0, args.indexOf("--")) : [];
}

export const rollsForSecrets = (job: Job): boolean => templatesOf(job).length > 0;

/** True for nomad/tasks/env.ctmpl, which names its paths by the job's id and loops over their items. */
const isEnvironment = (template: string): boolean => template.includes('sprig_list "nomad/jobs"');

const pathsIn = (job: Job, template: string): string[] =>
  isEnvironment(template)
    ? ["nomad/jobs", `nomad/jobs/${job.ID}`]
    : [...template.matchAll(/nomadVar "([^"]+)"/g)].map(([, path]) => path!);

/**
 * True if a template reads an item. Of items that are numbered by shard (SHARD_TOKEN_1, …) the first stands for all:
 * they are derived from one root, and a further shard changes nothing for those that run.
 */
function isRead(job: Job, item: string, template: string): boolean {
  if (!isEnvironment(template)) return new Set(template.match(/\w+/g)).has(item);
  const setting = settingOf(item);
  if (setting === null || (serviceJobs.includes(job.ID) && !reads(job.ID, setting))) return false;
  const number = /_(\d+)$/.exec(item)?.[1];
  return number === undefined || number === "1";
}

type Variables = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** Names the values of what the job's templates read. It is an HMAC, so that it reveals nothing of them. */
export function versionOf(job: Job, variables: Variables, key: string): string {
  const lines = new Set<string>();
  for (const template of templatesOf(job)) {
    for (const path of pathsIn(job, template)) {
      for (const [item, value] of Object.entries(variables.get(path) ?? {})) {
        if (isRead(job, item, template)) lines.add(JSON.stringify([path, item, value]));
      }
    }
  }
  return createHmac("sha256", key)
    .update([...lines].toSorted().join("\n"))
    .digest("hex")
    .slice(0, 16);
}

/** The job with the version of its secrets as they are now. @throws HttpFailure 403 if the token reads no secret */
export async function withSecretVersion(nomad: Nomad, job: Job): Promise<Job> {
  if (!rollsForSecrets(job)) return job;
  const paths = new Set(templatesOf(job).flatMap((template) => pathsIn(job, template)));
  const variables = new Map(
    await Promise.all([...paths].map(async (path) => [path, (await readVariable(nomad, path)).Items] as const)),
  );
  return { ...job, Meta: { ...job.Meta, [secretVersionKey]: versionOf(job, variables, await versionKey(nomad)) } };
}

/** The key of the HMAC, generated at the first use. */
async function versionKey(nomad: Nomad): Promise<string> {
  const path = "prosaas/secrets";
  const variable = await readVariable(nomad, path);
  const existing = variable.Items["secret_version_key"];
  if (existing) return existing;
  const key = randomToken();
  try {
    await writeVariable(nomad, path, { ...variable.Items, secret_version_key: key }, variable);
  } catch (error) {
    // A deploy plans several jobs at once: one of them has made the key.
    if (!(error instanceof HttpFailure && error.status === 409)) throw error;
    return versionKey(nomad);
  }
  return key;
}
