import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/** What `./scripts/up` wrote down of the stack it started. */
const stackFile = z.object({
  stack: z.string(),
  consul_http_addr: z.string(),
  nomad_addr: z.url(),
  base_url: z.url(),
  ca_file: z.string(),
  admin_key_file: z.string(),
  simulator_url: z.url().nullish(),
});

export type Stack = z.infer<typeof stackFile>;

/** The folder of a stack's state: PROSAAS_STATE_DIR, or the user's state folder; the same rule as in scripts/lib/stack.sh. */
export function stateFolder(stack: string, env: Record<string, string | undefined> = process.env): string {
  return env["PROSAAS_STATE_DIR"] || join(env["XDG_STATE_HOME"] || join(homedir(), ".local/state"), "prosaas", stack);
}

/** Reads the running stack's addresses; a stack that is not up ends the script with what to do. */
export async function readStack(name = process.env["PROSAAS_STACK"] || "dev"): Promise<Stack> {
  const file = Bun.file(join(stateFolder(name), "stack.json"));
  if (!(await file.exists())) {
    console.error(`There is no stack "${name}" here (no ${file.name}); start it with ./scripts/up`);
    process.exit(1);
  }
  const read = stackFile.safeParse(await file.json().catch(() => undefined));
  if (read.success) return read.data;
  console.error(`${file.name} is not as ./scripts/up writes it; run that again`);
  process.exit(1);
}

/** A file that `./scripts/up` wrote for a stack; one that is missing ends the script with what to do. */
export async function readFileOf({ stack }: Stack, path: string): Promise<string> {
  const file = Bun.file(path);
  if (await file.exists()) return file.text();
  console.error(`A file of the stack "${stack}" is missing (${path}); ./scripts/up writes it anew`);
  process.exit(1);
}
