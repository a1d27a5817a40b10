import { runningJobs } from "../../stack/jobs.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { readVariable, writeVariable } from "../../stack/secrets.ts";
import { presented } from "../../stack/secret_values.ts";
import { HttpFailure } from "../operator/http.ts";
import { ScaleFailure } from "../scale/failure.ts";
import { nextKey } from "./catalogue.ts";
import type { Secret } from "./catalogue.ts";
import { keyRing } from "./formats.ts";
import { changed } from "./holders.ts";
import type { Holder } from "./holders.ts";
import { valuesAfter } from "./steps.ts";
import type { Step } from "./steps.ts";
import { pathOfJob, rootPath } from "./variables.ts";
import type { Items } from "./variables.ts";

/** Items of `prosaas/secrets` beside a secret: the step of its rotation that was started, and the date of its value. */
export const stepItem = (name: string) => `${name}_rotation`;
export const sinceItem = (name: string) => `${name}_since`;

export type Rotating = {
  secret: Secret;
  /** The values before the next step. */
  value: string;
  started: Step | null;
  /** When the value was made; null if no one recorded it. */
  since: string | null;
};

/** A secret as `prosaas/secrets` has it, or else a job that presents it. @throws ScaleFailure if it has no value */
export async function readRotating(nomad: Nomad, secret: Secret): Promise<Rotating> {
  const { Items: roots } = await readVariable(nomad, rootPath);
  const value = roots[secret.name] ?? (await valueInJobs(nomad, secret));
  if (value === null)
    throw new ScaleFailure(
      `There is no ${secret.name} in this cluster; set it with task secrets:set NAME=${secret.name}.`,
    );
  return {
    secret,
    value,
    started: (roots[stepItem(secret.name)] as Step | undefined) ?? null,
    since: roots[sinceItem(secret.name)] ?? null,
  };
}

async function valueInJobs(nomad: Nomad, { holders, format }: Secret): Promise<string | null> {
  for (const { job, read } of holders) {
    const value = read((await readVariable(nomad, pathOfJob(job))).Items);
    // Of several passwords, none says which one is presented.
    if (value && (format === keyRing || presented(value) === value)) return value;
  }
  return null;
}

/** Items in which a job has another value than the secret's; a rotation would replace what its operator chose. */
export async function strayItems(nomad: Nomad, { secret, value }: Rotating): Promise<string[]> {
  const stray: string[] = [];
  for (const { job, items, read } of secret.holders) {
    const { Items: before } = await readVariable(nomad, pathOfJob(job));
    const expected = changed(before, items(value, before));
    const differs = read(before) === null ? !Bun.deepEquals(before, expected) : read(before) !== read(expected);
    if (differs) stray.push(pathOfJob(job));
  }
  return stray;
}

/** Nomad's limit of a variable, and room for what operators add. */
const maxVariableBytes = 64 * 1024 - 1024;

/** Variables that would not hold another value of the secret. */
export async function fullVariables(nomad: Nomad, { secret, value, started }: Rotating): Promise<string[]> {
  if (started !== null) return [];
  const full: string[] = [];
  for (const { job, items } of secret.holders) {
    const { Items: before } = await readVariable(nomad, pathOfJob(job));
    const added = secret.format === keyRing ? nextKey(value) : presented(value);
    const after = changed(before, items(`${added},${value}`, before));
    const bytes = Object.entries(after).reduce((sum, [item, text]) => sum + item.length + text.length, 0);
    if (bytes > maxVariableBytes) full.push(pathOfJob(job));
  }
  return full;
}

/** Writes the values of a step: first to `prosaas/secrets`, from which an interrupted step is made again. */
export async function writeStep(nomad: Nomad, secret: Secret, step: Step, makeNext: (now: string) => string) {
  const { value, started } = await readRotating(nomad, secret);
  const next = valuesAfter(step, started, value, () => makeNext(value));
  await write(nomad, rootPath, (items) => ({ ...items, [secret.name]: next, [stepItem(secret.name)]: step }));
  await distribute(nomad, secret.holders, next);
}

/** Gives the values to each job that has the secret already. */
export async function distribute(nomad: Nomad, holders: readonly Holder[], value: string): Promise<void> {
  for (const { job, items } of holders)
    await write(nomad, pathOfJob(job), (before) => changed(before, items(value, before)));
}

/** Ends a rotation: its value is from now. */
export async function endRotation(nomad: Nomad, { name }: Secret): Promise<void> {
  await write(nomad, rootPath, ({ [stepItem(name)]: _, ...items }) => ({
    ...items,
    [sinceItem(name)]: new Date().toISOString(),
  }));
}

async function write(nomad: Nomad, path: string, change: (items: Items) => Items): Promise<void> {
  const variable = await readVariable(nomad, path);
  try {
    // A variable that no one wrote belongs to a job that is not in use.
    if (variable.ModifyIndex > 0 || path === rootPath)
      await writeVariable(nomad, path, change(variable.Items), variable);
  } catch (error) {
    if (!(error instanceof HttpFailure) || error.status !== 409) throw error;
    throw new ScaleFailure(`Someone else changed ${path} in between. Run the command again to continue.`);
  }
}

/** The jobs whose allocations a step replaces, in the order of a deploy. */
export function jobsOf(secrets: readonly Secret[], step: Step): string[] {
  const jobs = new Set(
    secrets.flatMap(({ holders }) => holders.filter(({ rolls }) => rolls.includes(step)).map(({ job }) => job)),
  );
  return runningJobs.filter((id) => jobs.has(id));
}
