import type { Nomad } from "../../stack/nomad.ts";
import { readVariable } from "../../stack/secrets.ts";

export type Items = Record<string, string>;
/** The items of each variable, by its path. */
export type Variables = Record<string, Items>;

/** `prosaas/…` for operators, and `nomad/jobs` with `nomad/jobs/<job>` for the jobs. */
const prefixes = ["prosaas/", "nomad/jobs"];

export const rootPath = "prosaas/secrets";
export const pathOfJob = (job: string): string => `nomad/jobs/${job}`;

/** Every variable of the platform. */
export async function readVariables(nomad: Nomad): Promise<Variables> {
  const lists = await Promise.all(
    prefixes.map((prefix) => nomad<{ Path: string }[]>("GET", `/v1/vars?prefix=${encodeURIComponent(prefix)}`)),
  );
  const paths = lists.flat().map(({ Path }) => Path);
  const read = await Promise.all(paths.map(async (path) => [path, (await readVariable(nomad, path)).Items] as const));
  return Object.fromEntries(read);
}
