import type { Job, TaskGroup } from "./nomad.ts";

/** A part of a plan's diff; names are Nomad's. A field has no parts. */
export type Diff = { Type: string; Name?: string } & Partial<
  Record<"Fields" | "Objects" | "TaskGroups" | "Tasks", Diff[] | null>
>;

/**
 * The parts in which a job that is to be run differs from the running one, by Nomad's plan: paths of names such as
 * "api/api/Artifact/GetterSource". Values are left out, because an environment or a template may hold a secret.
 */
export function differences(diff: Diff, wanted: Job, running: Job): string[] {
  const before = scalingOf(running);
  const scaled = Object.entries(scalingOf(wanted)).filter(([name, policy]) => !Bun.deepEquals(policy, before[name]));
  return [...new Set([...editsIn(diff), ...scaled.map(([name]) => `${name}/Scaling`)])];
}

/** Ignores scaling policies: each plan of Nomad 1.11 calls them edited without a reason, so they are compared apart. */
function editsIn({ Type, Name, Fields, Objects, TaskGroups, Tasks }: Diff, parent: readonly string[] = []): string[] {
  if (Type === "None" || Name === "Scaling") return [];
  // The job itself has an ID and no name.
  const path = Name === undefined ? parent : [...parent, Name];
  const parts = Type === "Edited" ? [Fields, Objects, TaskGroups, Tasks].flatMap((some) => some ?? []) : [];
  return parts.length === 0 ? [path.join("/") || "job"] : parts.flatMap((one) => editsIn(one, path));
}

const scalingOf = ({ TaskGroups }: Job) =>
  Object.fromEntries(TaskGroups.map(({ Name, Scaling }) => [Name, policyOf(Scaling)]));

/** Nomad stores a policy that does not say so as enabled. */
const policyOf = (scaling: TaskGroup["Scaling"]) =>
  scaling ? { min: scaling.Min, max: scaling.Max, enabled: scaling.Enabled ?? true, policy: scaling.Policy } : null;
