import { AppError } from "../../../lib/core/errors.ts";
import { valuesOf } from "../../stack/secret_values.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { readVariable, writeVariable } from "../../stack/secrets.ts";
import { environmentOf, reads, serviceJobs, settingOf } from "../../stack/settings/known.ts";
import type { Secret } from "./catalogue.ts";
import { keyRing } from "./formats.ts";
import { changed } from "./holders.ts";
import { sinceItem, stepItem } from "./rotation.ts";
import { pathOfJob, rootPath } from "./variables.ts";
import type { Items } from "./variables.ts";

export type SetPlan = {
  /** The items that differ, as `path item`. */
  changes: string[];
  /** True if processes that use the present value may fail until all have the new one. */
  replaces: boolean;
  write(): Promise<void>;
};

type Edit = { path: string; change: (items: Items) => Items };

async function planEdits(nomad: Nomad, edits: readonly Edit[], ignored: (item: string) => boolean) {
  const planned = await Promise.all(
    edits.map(async ({ path, change }) => {
      const variable = await readVariable(nomad, path);
      return { path, variable, items: change(variable.Items) };
    }),
  );
  return {
    changes: planned.flatMap(({ path, variable, items }) =>
      [...new Set([...Object.keys(items), ...Object.keys(variable.Items)])]
        .filter((item) => items[item] !== variable.Items[item] && !ignored(item))
        .map((item) => `${path} ${item}`),
    ),
    write: async () => {
      for (const { path, variable, items } of planned) await writeVariable(nomad, path, items, variable);
    },
  };
}

/** Plans a secret of the platform. @throws AppError if the value is refused */
export async function planSecret(
  nomad: Nomad,
  secret: Secret,
  value: string,
  { dropKeys }: { dropKeys: boolean },
): Promise<SetPlan> {
  const { name, format, holders } = secret;
  requireAccepted(name, format.fault(value));
  const { Items: roots } = await readVariable(nomad, rootPath);
  if (roots[stepItem(name)] !== undefined)
    throw new AppError("conflict", `${name} is being rotated: end that first, with task secrets:rotate NAME=${name}.`);
  const present = roots[name];
  if (format === keyRing && present !== undefined && !dropKeys) {
    const missing = valuesOf(present).filter((key) => !valuesOf(value).includes(key));
    if (missing.length > 0) {
      const ids = missing.map((key) => key.slice(0, key.indexOf(":"))).join(", ");
      const how = "Where nothing is sealed under them any more, confirm that with --drop-keys.";
      throw new AppError("conflict", `${name} must keep the keys ${ids}: what they sealed would not open. ${how}`);
    }
  }
  const since = { [sinceItem(name)]: new Date().toISOString() };
  const edits: Edit[] = [
    { path: rootPath, change: (items) => (items[name] === value ? items : { ...items, [name]: value, ...since }) },
    ...holders.map(({ job, items }) => ({
      path: pathOfJob(job),
      change: (before: Items) => changed(before, items(value, before)),
    })),
  ];
  const plan = await planEdits(nomad, edits, (item) => item === sinceItem(name));
  return { ...plan, replaces: present !== undefined && present !== value && secret.rotation !== undefined };
}

/** Plans a setting of single jobs. @throws AppError if one of them has no such setting, or refuses the value */
export async function planSetting(
  nomad: Nomad,
  name: string,
  jobs: readonly string[],
  value: string,
): Promise<SetPlan> {
  if (!/^[A-Za-z]\w*$/.test(name))
    throw new AppError("invalid_request", "NAME must be the name of a secret or a setting.");
  if (jobs.length === 0)
    throw new AppError("invalid_request", `${name} is no secret of the platform: name the jobs that get it in JOBS.`);
  const setting = settingOf(name);
  for (const job of jobs) {
    if (setting === null || !serviceJobs.includes(job)) continue;
    if (!reads(job, setting)) throw new AppError("invalid_request", `The service ${job} has no setting ${name}.`);
    const field = environmentOf(job)?.shape[setting] as { safeParse(text: string): { error?: Error } } | undefined;
    const { error } = (field?.safeParse(value) ?? {}) as { error?: { issues: { message: string }[] } };
    requireAccepted(name, error?.issues[0]?.message ?? null);
  }
  const edits = jobs.map((job) => ({
    path: pathOfJob(job),
    change: (items: Items) => ({ ...items, [name]: value }),
  }));
  return { ...(await planEdits(nomad, edits, () => false)), replaces: false };
}

function requireAccepted(name: string, fault: string | null): void {
  if (fault !== null) throw new AppError("invalid_request", `The value of ${name} is refused: ${fault}.`);
}
