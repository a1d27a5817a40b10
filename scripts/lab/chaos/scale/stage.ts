import type { ConsulClient } from "../../../../lib/consul/client.ts";
import { createCaller } from "../../../cli/operator/http.ts";
import type { Caller } from "../../../cli/operator/http.ts";
import { simulatorOf } from "../../../cli/operator/simulator.ts";
import type { Stack } from "../../../cli/operator/stack.ts";
import { SimulatorControl } from "../../rig/simulator.ts";
import { connectConsul } from "../../../stack/consul.ts";
import { createNomad } from "../../../stack/nomad.ts";
import type { Nomad } from "../../../stack/nomad.ts";

/** The running stack of a chaos:scale run. */
export type Stage = {
  stack: Stack;
  /** The stack's folder. */
  state: string;
  /** Environment that points the scripts to the stack. */
  env: Record<string, string>;
  api: Caller;
  nomad: Nomad;
  consul: ConsulClient;
  simulator: SimulatorControl;
  say: (line: string) => void;
};

export async function openStage(state: string, env: Record<string, string>, say: Stage["say"]): Promise<Stage> {
  const stack = (await Bun.file(`${state}/stack.json`).json()) as Stack;
  const simulator = await simulatorOf(stack);
  return {
    stack,
    state,
    env,
    api: createCaller({
      baseUrl: stack.base_url,
      token: (await Bun.file(stack.admin_key_file).text()).trim(),
      ca: await Bun.file(stack.ca_file).text(),
    }),
    nomad: createNomad(stack.nomad_addr),
    consul: connectConsul(stack.consul_http_addr),
    simulator: new SimulatorControl(simulator.url, simulator.token),
    say,
  };
}
