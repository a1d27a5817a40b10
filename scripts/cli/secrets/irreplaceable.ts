import { catalogue } from "./catalogue.ts";
import { pathOfJob, rootPath } from "./variables.ts";
import type { Variables } from "./variables.ts";

/** Items of `prosaas/secrets` with keys of former versions, which still open values. */
const formerKeys = ["auth_keys"];

export const irreplaceable = catalogue.filter((secret) => secret.irreplaceable);

/** The secrets of which a new one does not open what the old one sealed; of jobs, where `prosaas/secrets` lacks one. */
export function irreplaceableOf(variables: Variables): Variables {
  const chosen: Variables = {};
  const choose = (path: string, item: string) => {
    const value = variables[path]?.[item];
    if (value !== undefined) chosen[path] = { ...chosen[path], [item]: value };
  };
  for (const item of formerKeys) choose(rootPath, item);
  for (const { name, holders } of irreplaceable) {
    choose(rootPath, name);
    if (variables[rootPath]?.[name] !== undefined) continue;
    for (const { job, names } of holders)
      for (const item of names(variables[pathOfJob(job)] ?? {})) choose(pathOfJob(job), item);
  }
  return chosen;
}
