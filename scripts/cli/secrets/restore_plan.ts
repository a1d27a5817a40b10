import type { Nomad } from "../../stack/nomad.ts";
import { readVariable, writeVariable } from "../../stack/secrets.ts";
import type { Variables } from "./variables.ts";

export type RestorePlan = {
  /** Items that are missing, and items with another value, as `path item`. */
  added: string[];
  replaced: string[];
  /** How many items have the value of the export. */
  equal: number;
  /** Writes each variable as planned. Throws if someone changed it in between. */
  write(): Promise<void>;
};

/** Compares an export with the cluster. Items that the export lacks stay. */
export async function planRestore(nomad: Nomad, variables: Variables): Promise<RestorePlan> {
  const plan: RestorePlan = { added: [], replaced: [], equal: 0, write: async () => {} };
  const writes: (() => Promise<unknown>)[] = [];
  for (const [path, items] of Object.entries(variables)) {
    const variable = await readVariable(nomad, path);
    for (const [item, value] of Object.entries(items)) {
      const present = variable.Items[item];
      if (present === undefined) plan.added.push(`${path} ${item}`);
      else if (present !== value) plan.replaced.push(`${path} ${item}`);
      else plan.equal += 1;
    }
    writes.push(() => writeVariable(nomad, path, { ...variable.Items, ...items }, variable));
  }
  plan.write = async () => {
    for (const write of writes) await write();
  };
  return plan;
}
