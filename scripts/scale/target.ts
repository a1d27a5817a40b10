import { createConsul } from "../../lib/consul/client.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { createCaller } from "../operator/http.ts";
import type { Caller } from "../operator/http.ts";
import { readStack } from "../operator/stack.ts";
import type { Stack } from "../operator/stack.ts";
import { createNomad } from "../stack/nomad.ts";
import type { Nomad } from "../stack/nomad.ts";
import type { Agents } from "../stack/wait.ts";

/** The running stack that a command changes. */
export type Target = {
  readonly stack: Stack;
  readonly agents: Agents;
  readonly nomad: Nomad;
  readonly consul: ConsulClient;
  /** The platform's API, with the admin key. */
  readonly api: Caller;
};

/** The stack at hand; one that is not up ends the command with what to do. */
export async function readTarget(): Promise<Target> {
  const stack = await readStack();
  return {
    stack,
    agents: { nomadAddr: stack.nomad_addr, consulAddr: stack.consul_http_addr },
    nomad: createNomad(stack.nomad_addr),
    consul: createConsul({ addr: stack.consul_http_addr }),
    api: createCaller({
      baseUrl: stack.base_url,
      token: (await Bun.file(stack.admin_key_file).text()).trim(),
      ca: await Bun.file(stack.ca_file).text(),
      timeoutMs: 20_000,
    }),
  };
}
