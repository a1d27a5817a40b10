import { createHmac } from "node:crypto";
import { presented, valuesOf } from "../../stack/secret_values.ts";
import { catalogue, secretOf } from "./catalogue.ts";
import { sinceItem, stepItem } from "./rotation.ts";
import { rootPath } from "./variables.ts";
import type { Items, Variables } from "./variables.ts";

/** A secret as `task secrets` shows it: never its value. */
export type Surveyed = {
  name: string;
  /** Jobs whose variable has it. */
  jobs: string[];
  format: string | null;
  /** Values at once: two during a rotation, or keys of a ring. */
  values: number;
  /** Eight digits that differ between values and reveal nothing of them; null before the first deploy. */
  fingerprint: string | null;
  since: string | null;
  /** The step of the rotation that was started. */
  rotation: string | null;
  rotatable: boolean;
};

const keyOfVersions = "secret_version_key";
const isRecord = (item: string) => item === keyOfVersions || /_(rotation|since)$/.test(item);

/** Every secret of the cluster by name: those of `prosaas/secrets`, then settings of single jobs. */
export function survey(variables: Variables): Surveyed[] {
  const roots = variables[rootPath] ?? {};
  const jobs = Object.entries(variables).flatMap(([path, items]) => {
    const job = /^nomad\/jobs\/(.+)$/.exec(path)?.[1];
    return job === undefined ? [] : [{ job, items }];
  });
  const known = new Set([...Object.keys(roots).filter((item) => !isRecord(item)), ...foundInJobs(jobs)]);
  const listed = [...known].toSorted().map((name) => rowOf(name, roots[name] ?? null, roots, jobs));
  return [...listed, ...settingsOf(jobs)];
}

type OfJob = { job: string; items: Items };

/** Names of the catalogue that only jobs have. */
function foundInJobs(jobs: readonly OfJob[]): string[] {
  return catalogue
    .filter(({ holders }) =>
      jobs.some(({ job, items }) => holders.some((holder) => holder.job === job && holder.read(items))),
    )
    .map(({ name }) => name);
}

function rowOf(name: string, root: string | null, roots: Items, jobs: readonly OfJob[]): Surveyed {
  const secret = secretOf(name);
  const holding = jobs.filter(({ job, items }) =>
    secret?.holders.some((holder) => holder.job === job && holder.names(items).length > 0),
  );
  const value = root ?? secret?.holders.map(({ job, read }) => read(itemsOf(jobs, job))).find(Boolean) ?? "";
  return {
    name,
    jobs: holding.map(({ job }) => job),
    format: secret?.format.description ?? null,
    values: secret?.rotation === undefined ? 1 : valuesOf(value).length,
    fingerprint: fingerprintOf(secret?.rotation === undefined ? value : presented(value), roots),
    since: roots[sinceItem(name)] ?? null,
    rotation: roots[stepItem(name)] ?? null,
    rotatable: secret?.rotation !== undefined,
  };
}

const itemsOf = (jobs: readonly OfJob[], job: string): Items => jobs.find((one) => one.job === job)?.items ?? {};

/** Items that no secret of the catalogue makes, such as S3_SECRET_ACCESS_KEY: by name, with the jobs that have them. */
function settingsOf(jobs: readonly OfJob[]): Surveyed[] {
  const holders = new Map<string, { jobs: string[]; value: string }>();
  for (const { job, items } of jobs) {
    const made = new Set(
      catalogue
        .flatMap((secret) => secret.holders)
        .filter((holder) => holder.job === job)
        .flatMap((holder) => holder.names(items)),
    );
    for (const [item, value] of Object.entries(items)) {
      if (made.has(item)) continue;
      const known = holders.get(item) ?? { jobs: [], value };
      holders.set(item, { ...known, jobs: [...known.jobs, job] });
    }
  }
  return [...holders]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { jobs: holding }]) => ({
      name,
      jobs: holding,
      format: null,
      values: 1,
      fingerprint: null,
      since: null,
      rotation: null,
      rotatable: false,
    }));
}

/** Of an HMAC, because a hash of a short value could be guessed. */
function fingerprintOf(value: string, roots: Items): string | null {
  const key = roots[keyOfVersions];
  if (key === undefined || value === "") return null;
  return createHmac("sha256", key).update(`fingerprint ${value}`).digest("hex").slice(0, 8);
}
