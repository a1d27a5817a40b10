export type DeployStages = {
  /** True if the cluster runs the job: processes of its previous release may be left. */
  runs: (id: string) => Promise<boolean>;
  /** Registers the job unless the cluster has it as it is. */
  register: (id: string) => Promise<void>;
  /** Waits until no process of a previous release of these jobs is left; throws if one fails. */
  settle: (ids: readonly string[]) => Promise<void>;
};

/**
 * Registers the jobs of each stage after the ones before have settled. A job that fails ends the deploy, so that the
 * following stages keep their release. Jobs that did not run before have no previous release: nothing waits for them.
 */
export async function deployStages(
  stages: readonly (readonly string[])[],
  { runs, register, settle }: DeployStages,
): Promise<void> {
  for (const [index, stage] of stages.entries()) {
    const replaced: string[] = [];
    for (const id of stage) {
      // Asked before the registration. An interrupted deploy may have registered it: it is waited for, too.
      if (await runs(id)) replaced.push(id);
      await register(id);
    }
    if (replaced.length > 0 && index < stages.length - 1) await settle(replaced);
  }
}
