import { join } from "node:path";
import { z } from "zod";

export const root = join(import.meta.dir, "../..");

const schema = z.object({
  PROSAAS_STACK: z.string().min(1),
  PROSAAS_STATE_DIR: z.string().startsWith("/"),
  PROSAAS_BASE_URL: z.url(),
  PROSAAS_SIMULATOR_URL: z.url(),
  NOMAD_ADDR: z.url(),
  CONSUL_HTTP_ADDR: z.string().min(1),
  PROSAAS_TASK: z.string().min(1),
  /** "name=port …", as scripts/lib/stack.sh has them. */
  PROSAAS_PORTS: z.string().min(1),
  PROSAAS_AGENTS_STARTED: z.string().default(""),
});

/** The stack at hand, as scripts/lib/stack.sh exports it. */
export type Environment = {
  readonly stack: string;
  readonly stateDir: string;
  readonly baseUrl: string;
  readonly simulatorUrl: string;
  readonly nomadAddr: string;
  readonly consulAddr: string;
  /** The command line of a task of this stack. */
  readonly task: string;
  /** The stack's ports by their name, and whatever else files in nomad/env name in braces. */
  readonly ports: Readonly<Record<string, string>>;
  /** The files in nomad/env: dev.settings and dev.variables, or those of a cluster of several nodes. */
  readonly kind: "dev" | "cluster";
  /** Address at which clients fetch the releases in the stack's folder. */
  readonly releasesUrl: string;
  /** True if an agent was started just now. */
  readonly agentsStarted: boolean;
};

/** Throws where the shell half was left out: these programs are not meant to be started by hand. */
export function readEnvironment(env: Record<string, string | undefined> = process.env): Environment {
  const read = schema.parse(env);
  const ports = Object.fromEntries(
    read.PROSAAS_PORTS.split(" ").map((entry) => entry.split("=") as [name: string, port: string]),
  );
  return {
    stack: read.PROSAAS_STACK,
    stateDir: read.PROSAAS_STATE_DIR,
    baseUrl: read.PROSAAS_BASE_URL,
    simulatorUrl: read.PROSAAS_SIMULATOR_URL,
    nomadAddr: read.NOMAD_ADDR,
    consulAddr: read.CONSUL_HTTP_ADDR,
    task: read.PROSAAS_TASK,
    ports,
    kind: "dev",
    releasesUrl: `http://127.0.0.1:${ports["releases"]}`,
    agentsStarted: read.PROSAAS_AGENTS_STARTED !== "",
  };
}
