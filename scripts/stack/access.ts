import { join } from "node:path";
import { messageOf } from "../../lib/core/errors.ts";
import { sleep } from "../../lib/core/time.ts";
import { createCaller, HttpFailure } from "../cli/operator/http.ts";
import type { Caller } from "../cli/operator/http.ts";
import { ensureConsulAccess, ensureWorkloadLogin } from "./access/consul.ts";
import { ensureNomadAccess } from "./access/nomad.ts";
import { writeStateFile } from "./state_file.ts";

// access.ts consul|nomad — completes the access control of an agent of this stack that leads. Called by
// scripts/lib/agents.sh between the starts of the agents, with what scripts/lib/stack.sh exports.

/** A server that was just elected leader answers 403 and 500 until it has set itself up. */
const DEADLINE_MS = 30_000;
const RETRY_MS = 100;

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
    node: `prosaas-${required("PROSAAS_STACK")}`,
    tokens: {
      agent: await tokenOf("consul-agent"),
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
  await ensureWorkloadLogin(await connectConsul(), required("NOMAD_ADDR"));
}

/** The steps are idempotent, so that each may be repeated as a whole. */
async function untilDone(work: () => Promise<void>): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const settling = error instanceof HttpFailure && [403, 429, 500].includes(error.status);
      if (!settling || performance.now() > end) throw error;
      await sleep(RETRY_MS);
    }
  }
}

const programs: Record<string, () => Promise<void>> = { consul, nomad };
try {
  const program = programs[process.argv[2] ?? ""];
  if (program === undefined) throw new Error("Usage: access.ts consul|nomad");
  await untilDone(program);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(1);
}
