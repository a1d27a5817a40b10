import { createHmac, randomBytes } from "node:crypto";
import type { Job, Nomad } from "./nomad.ts";
import { readVariable, writeVariable } from "./secrets.ts";

/*
 * A template with change_mode "restart" restarts every allocation of its job within seconds of a changed secret. The
 * templates of nomad/jobs therefore leave running tasks alone ("noop"), and a job's meta names the version of its
 * secrets: registering the job with another version replaces its allocations by its `update` block, one at a time.
 */
export const secretVersionKey = "secret_version";

/** The templates of a job that read Nomad Variables and reach running tasks by new allocations only; others signal. */
const templatesOf = ({ TaskGroups }: Job): string[] =>
  TaskGroups.flatMap(({ Tasks }) => Tasks ?? [])
    .flatMap(({ Templates }) => Templates ?? [])
    .filter(({ EmbeddedTmpl, ChangeMode }) => EmbeddedTmpl.includes("nomadVar") && ChangeMode === "noop")
    .map(({ EmbeddedTmpl }) => EmbeddedTmpl);

export const rollsForSecrets = (job: Job): boolean => templatesOf(job).length > 0;

const pathsIn = (template: string): string[] => [...template.matchAll(/nomadVar "([^"]+)"/g)].map(([, path]) => path!);

/**
 * True if a template reads an item. Of items that are numbered by shard ("shard_token_%d") the first stands for all:
 * they are derived from one root, and a further shard changes nothing for those that run.
 */
function isRead(item: string, template: string): boolean {
  const [, stem, number] = /^(.*_)(\d+)$/.exec(item) ?? [];
  if (stem !== undefined && template.includes(`"${stem}%d"`)) return number === "1";
  return /\brange\b/.test(template) || new Set(template.match(/\w+/g)).has(item);
}

type Variables = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** Names the values of what the job's templates read. An HMAC: whoever reads the job learns nothing of them. */
export function versionOf(job: Job, variables: Variables, key: string): string {
  const lines = new Set<string>();
  for (const template of templatesOf(job)) {
    for (const path of pathsIn(template)) {
      for (const [item, value] of Object.entries(variables.get(path) ?? {})) {
        if (isRead(item, template)) lines.add(JSON.stringify([path, item, value]));
      }
    }
  }
  return createHmac("sha256", key)
    .update([...lines].toSorted().join("\n"))
    .digest("hex")
    .slice(0, 16);
}

/** The job with the version of its secrets as they are now. */
export async function withSecretVersion(nomad: Nomad, job: Job): Promise<Job> {
  if (!rollsForSecrets(job)) return job;
  const paths = new Set(templatesOf(job).flatMap(pathsIn));
  const variables = new Map(
    await Promise.all([...paths].map(async (path) => [path, (await readVariable(nomad, path)).Items] as const)),
  );
  return { ...job, Meta: { ...job.Meta, [secretVersionKey]: versionOf(job, variables, await versionKey(nomad)) } };
}

/** The key of the HMAC, which is made at the first use. */
async function versionKey(nomad: Nomad): Promise<string> {
  const path = "prosaas/secrets";
  const variable = await readVariable(nomad, path);
  const existing = variable.Items["secret_version_key"];
  if (existing) return existing;
  const key = randomBytes(32).toString("base64url");
  await writeVariable(nomad, path, { ...variable.Items, secret_version_key: key }, variable);
  return key;
}
