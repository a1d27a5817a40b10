import { join } from "node:path";
import { root } from "../../stack/environment.ts";
import { agentKinds, unitText } from "./unit.ts";

// stack_unit.ts KIND COMMAND… — prints the unit of an agent of this stack. Called by scripts/lib/agents.sh.

const [kind, ...command] = process.argv.slice(2);
const { PROSAAS_STACK: stack, PROSAAS_STATE_DIR: state } = process.env;
const known = agentKinds.find((one) => one === kind);
if (known === undefined || !stack || !state || command.length === 0) {
  console.error(`Usage: stack_unit.ts ${agentKinds.join("|")} COMMAND…, started by scripts/up`);
  process.exit(2);
}
const script = (name: string) => join(root, "scripts/cli/agents", name);
const scripts = {
  restoreMounts: [script("restore-mounts.sh"), join(state, "nomad/client")],
  weighTasks: [script("weigh-tasks.sh")],
};
process.stdout.write(
  unitText({
    kind: known,
    prefix: `prosaas-${stack}`,
    command,
    stderr: join(state, "logs", `${known}.stderr`),
    ...(known === "nomad-client" ? { scripts } : {}),
  }),
);
