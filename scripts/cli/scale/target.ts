import type { ConsulClient } from "../../../lib/consul/client.ts";
import type { ApiClient } from "../../../lib/api-client/index.ts";
import { adminApi } from "../operator/admin_api.ts";
import { readStack } from "../operator/stack.ts";
import type { Stack } from "../operator/stack.ts";
import { connectConsul } from "../../stack/consul.ts";
import { createNomad } from "../../stack/nomad.ts";
import type { Nomad } from "../../stack/nomad.ts";
import type { Agents } from "../../stack/wait.ts";

/** The running stack that a command changes. */
export type Target = {
  readonly stack: Stack;
  readonly agents: Agents;
  readonly nomad: Nomad;
  readonly consul: ConsulClient;
  /** The platform's API, with the admin key. */
  readonly api: ApiClient;
};

/** Connects to the running stack; exits with a hint if there is none. */
export async function readTarget(): Promise<Target> {
  const stack = await readStack();
  return {
    stack,
    agents: { nomadAddr: stack.nomad_addr, consulAddr: stack.consul_http_addr },
    nomad: createNomad(stack.nomad_addr),
    consul: connectConsul(stack.consul_http_addr),
    api: await adminApi(stack, { timeoutMs: 20_000 }),
  };
}
