import { parseConfig } from "../../../lib/runtime/config.ts";
import type { Job } from "../nomad.ts";
import { environmentOf, reads, serviceJobs, settingOf } from "./known.ts";

/** A fault of an item in a Nomad Variable. Never holds its value, which may be a secret. */
export type SettingFault = { path: string; item: string; message: string };

type Items = Readonly<Record<string, string>>;

const sharedPath = "nomad/jobs";

/** Names that the templates of a job file read from a variable: `.name`, or `index . "name"`. */
function readByTemplates(job: Job): ReadonlySet<string> {
  const templates = tasksOf(job)
    .flatMap(({ Templates }) => Templates ?? [])
    .map(({ EmbeddedTmpl }) => EmbeddedTmpl)
    .filter((text) => text.includes("nomadVar"));
  return new Set(templates.flatMap((text) => [...text.matchAll(/[."]([a-z]\w*)/g)].map(([, name]) => name!)));
}

const tasksOf = ({ TaskGroups }: Job) => TaskGroups.flatMap(({ Tasks }) => Tasks ?? []);

/** Names that the `env` blocks of a job file set. */
const setByFile = (job: Job): ReadonlySet<string> => new Set(tasksOf(job).flatMap(({ Env }) => Object.keys(Env ?? {})));

/** Every item of `nomad/jobs` that no service reads, that a job file sets itself, or whose value a service refuses. */
export function checkShared(shared: Items, jobs: readonly Job[]): SettingFault[] {
  return Object.entries(shared).flatMap(([item, value]) => {
    const fault = (message: string) => [{ path: sharedPath, item, message }];
    const readers = serviceJobs.filter((job) => reads(job, item));
    if (readers.length === 0) return fault("no service has a setting of this name");
    const setter = jobs.find((job) => readers.includes(job.ID) && setByFile(job).has(item));
    if (setter !== undefined) return fault(`the job file of ${setter.ID} sets it`);
    const refused = readers.flatMap((job) => refusal(job, item, value))[0];
    return refused === undefined ? [] : fault(refused);
  });
}

/**
 * Every item of `nomad/jobs/<job>` that neither the service nor a template of the job reads, and every setting that the
 * service misses or refuses with these items and the shared ones.
 */
export function checkJob(job: Job, shared: Items, items: Items): SettingFault[] {
  const path = `${sharedPath}/${job.ID}`;
  const fromFile = setByFile(job);
  const templates = readByTemplates(job);
  const faults: SettingFault[] = [];
  const settings: Record<string, string> = { ...shared };
  for (const [item, value] of Object.entries(items)) {
    const setting = settingOf(item);
    const fault = (message: string) => faults.push({ path, item, message });
    if (setting === null) {
      if (!templates.has(item)) fault(`no template of ${job.ID} reads an item of this name`);
    } else if (!reads(job.ID, setting)) {
      fault(`${job.ID} has no setting of this name`);
    } else if (fromFile.has(setting)) {
      fault(`the job file of ${job.ID} sets it`);
    } else {
      settings[setting] = value;
    }
  }
  const schema = environmentOf(job.ID);
  const parsed = schema === undefined ? { config: {} } : parseConfig(schema, settings);
  if ("faults" in parsed) {
    for (const { variable, message } of parsed.faults)
      if (!fromFile.has(variable) && !(variable in shared && !(variable in items)))
        faults.push({ path, item: variable, message });
  }
  return faults;
}

function refusal(job: string, item: string, value: string): string[] {
  const field = environmentOf(job)?.shape[item] as { safeParse(value: string): { error?: Error } } | undefined;
  if (field === undefined || value === "") return [];
  const { error } = field.safeParse(value) as { error?: { issues: { message: string }[] } };
  return error === undefined ? [] : error.issues.map(({ message }) => message);
}

/** All faults, one a line, for a person. */
export const describeFaults = (faults: readonly SettingFault[]): string =>
  faults.map(({ path, item, message }) => `  ${path} ${item}: ${message}`).join("\n");
