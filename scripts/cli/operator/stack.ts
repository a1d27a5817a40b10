import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { addressCluster, addressNomad } from "./cluster.ts";

/** The file in which `./scripts/up` describes its stack. */
const stackFile = z.object({
  stack: z.string(),
  consul_http_addr: z.string(),
  nomad_addr: z.url(),
  base_url: z.url(),
  ca_file: z.string(),
  admin_key_file: z.string(),
  simulator_url: z.url().nullish(),
  /** Files with the operator's tokens; missing in a stack without access control. */
  nomad_token_file: z.string().nullish(),
  consul_token_file: z.string().nullish(),
  simulator_token_file: z.string().nullish(),
  /** The authority of the agents' certificates; missing where they speak without TLS. */
  agents_ca_file: z.string().nullish(),
  /** The parts of its environment that a deploy reads (scripts/stack/environment.ts). */
  deploy: z
    .object({
      kind: z.enum(["dev", "cluster"]),
      ports: z.record(z.string(), z.string()),
      releases_url: z.url(),
    })
    .nullish(),
});

export type Stack = z.infer<typeof stackFile>;

/**
 * A stack's state folder: PROSAAS_STATE_DIR, or one in the user's state folder. Same rule as in scripts/lib/stack.sh.
 */
export function stateFolder(stack: string, env: Record<string, string | undefined> = process.env): string {
  return env["PROSAAS_STATE_DIR"] || join(env["XDG_STATE_HOME"] || join(homedir(), ".local/state"), "prosaas", stack);
}

/**
 * The cluster that a command acts on: the running stack, or the cluster that NOMAD_ADDR and CONSUL_HTTP_ADDR name,
 * which is printed. Sets their tokens and authorities for this process and its children. Exits with a hint if no
 * stack is up.
 */
export async function readStack(name = process.env["PROSAAS_STACK"] || "dev"): Promise<Stack> {
  const local = await readStackFile(name);
  if (local === null && !(process.env["NOMAD_ADDR"] && process.env["CONSUL_HTTP_ADDR"])) noStack(name);
  const addressed = await addressCluster(local, name);
  if (typeof addressed === "string") {
    console.error(addressed);
    process.exit(1);
  }
  const { stack, env, note } = addressed;
  if (note !== null) console.error(note);
  for (const [key, value] of Object.entries(env)) {
    if (value === undefined) delete process.env[key];
    else process.env[key] = value;
  }
  return stack;
}

/** As {@link readStack}, for a command that needs Nomad only; returns its address. */
export async function readNomadAddress(name = process.env["PROSAAS_STACK"] || "dev"): Promise<string> {
  const addressed = (await addressNomad(await readStackFile(name), name)) ?? noStack(name);
  if (addressed.note !== null) console.error(addressed.note);
  if (addressed.token !== undefined) process.env["NOMAD_TOKEN"] = addressed.token;
  if (addressed.ca !== undefined) process.env["NOMAD_CACERT"] = addressed.ca;
  return addressed.address;
}

function noStack(name: string): never {
  console.error(
    `There is no stack "${name}" here (no ${join(stateFolder(name), "stack.json")}); start it with ./scripts/up`,
  );
  process.exit(1);
}

async function readStackFile(name: string): Promise<Stack | null> {
  const file = Bun.file(join(stateFolder(name), "stack.json"));
  if (!(await file.exists())) return null;
  const read = stackFile.safeParse(await file.json().catch(() => undefined));
  if (read.success) return read.data;
  console.error(`${file.name} is damaged; ./scripts/up writes it again`);
  process.exit(1);
}

/** Reads a file that `./scripts/up` wrote for a stack; exits with a hint if it is missing. */
export async function readFileOf({ stack }: Stack, path: string): Promise<string> {
  const file = Bun.file(path);
  if (path !== "" && (await file.exists())) return file.text();
  console.error(`A file of the stack "${stack}" is missing (${path}); ./scripts/up writes it again`);
  process.exit(1);
}
