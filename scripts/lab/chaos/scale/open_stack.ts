import { readStack, stateFolder } from "../../../cli/operator/stack.ts";
import { createCluster } from "../../../testing/cluster.ts";

export type OpenStack = { state: string; env: Record<string, string>; close(): Promise<unknown> };

/** The running stack if the run is to act `here`, or one of the run's own with this name, which `close` removes. */
export async function openStack(name: string, here: boolean): Promise<OpenStack> {
  if (here) {
    const { stack } = await readStack();
    return {
      state: stateFolder(stack),
      env: { PROSAAS_STACK: stack, PROSAAS_STATE_DIR: stateFolder(stack) },
      close: async () => {},
    };
  }
  const cluster = await createCluster(name);
  const { code } = await cluster.up();
  if (code === 0) return { state: cluster.state, env: cluster.env, close: () => cluster.remove() };
  await cluster.remove();
  throw new Error(`./scripts/up exited ${code}`);
}
