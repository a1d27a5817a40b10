import type { Job, TaskGroup } from "./nomad.ts";

/** A part of a plan's diff; names are Nomad's. A field has no parts. */
export type Diff = { Type: string; Name?: string } & Partial<
  Record<"Fields" | "Objects" | "TaskGroups" | "Tasks", Diff[] | null>
>;

/** True if a job that is to be run differs from the running one, by Nomad's plan. */
export function differs(diff: Diff, wanted: Job, running: Job): boolean {
  return isEdited(diff) || !Bun.deepEquals(scalingOf(wanted), scalingOf(running));
}

/** Ignores scaling policies: each plan of Nomad 1.11 calls them edited without a reason, so they are compared apart. */
function isEdited({ Type, Name, Fields, Objects, TaskGroups, Tasks }: Diff): boolean {
  if (Type === "None" || Name === "Scaling") return false;
  const parts = [Fields, Objects, TaskGroups, Tasks].flatMap((some) => some ?? []);
  return parts.length === 0 || parts.some(isEdited);
}

const scalingOf = ({ TaskGroups }: Job) =>
  Object.fromEntries(TaskGroups.map(({ Name, Scaling }) => [Name, policyOf(Scaling)]));

const policyOf = (scaling: TaskGroup["Scaling"]) =>
  scaling ? { min: scaling.Min, max: scaling.Max, enabled: scaling.Enabled, policy: scaling.Policy } : null;
