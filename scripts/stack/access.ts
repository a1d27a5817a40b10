import { join } from "node:path";
import { messageOf } from "../../lib/core/errors.ts";
import { createCaller } from "../cli/operator/http.ts";
import type { Caller } from "../cli/operator/http.ts";
import { ensureConsulAccess, ensureWorkloadLogin } from "./access/consul.ts";
import { ensureNomadAccess } from "./access/nomad.ts";
import { untilSettled } from "./access/settle.ts";
import { writeStateFile } from "./state_file.ts";

// access.ts consul|nomad — completes the access control of an agent of this stack that leads. Called by
// scripts/lib/agents.sh between the starts of the agents, with what scripts/lib/stack.sh exports.

const required = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: this program is started by scripts/up`);
  return value;
};

const state = required("PROSAAS_STATE_DIR");
const tokenOf = async (name: string) => (await Bun.file(join(state, "access", name)).text()).trim();

const connectConsul = async (): Promise<Caller> =>
  createCaller({ baseUrl: `http://${required("CONSUL_HTTP_ADDR")}`, token: await tokenOf("consul-management") });

async function consul(): Promise<void> {
  await ensureConsulAccess({
    consul: await connectConsul(),
    agents: [{ node: `prosaas-${required("PROSAAS_STACK")}`, token: await tokenOf("consul-agent") }],
    tokens: {
      nomadServer: await tokenOf("consul-nomad-server"),
      nomadClient: await tokenOf("consul-nomad-client"),
    },
  });
}

async function nomad(): Promise<void> {
  const token = await tokenOf("nomad-management");
  const caller: Caller = createCaller({ baseUrl: required("NOMAD_ADDR"), token });
  const allowReset = async (index: string) => {
    const file = join(state, "nomad/server/server/acl-bootstrap-reset");
    await writeStateFile(file, index);
    process.stderr.write("  the management token of Nomad was lost: it is replaced\n");
  };
  await ensureNomadAccess({ nomad: caller, token, allowReset });
  await ensureWorkloadLogin(await connectConsul(), { nomadAddr: required("NOMAD_ADDR") });
}

const programs: Record<string, () => Promise<void>> = { consul, nomad };
try {
  const program = programs[process.argv[2] ?? ""];
  if (program === undefined) throw new Error("Usage: access.ts consul|nomad");
  await untilSettled(program);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(1);
}
