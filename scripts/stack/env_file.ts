import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { root } from "./environment.ts";
import type { Environment } from "./environment.ts";

/** Parses lines of NAME=value; lines that begin with # are comments. `{name}` stands for its value in `fill`. */
export function parseEnvFile(text: string, fill: Readonly<Record<string, string>> = {}): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
      if (name === undefined) throw new Error(`"${line}" is not NAME=value.`);
      return [name, value!.replaceAll(/\{(\w+)\}/g, (_, key: string) => filled(fill, key))];
    }),
  );
}

function filled(fill: Readonly<Record<string, string>>, key: string): string {
  const value = fill[key];
  if (value === undefined) throw new Error(`{${key}} has no value; known are ${Object.keys(fill).join(", ")}.`);
  return value;
}

/** A file in nomad/env, with the ports of the stack at hand. */
export async function readStackValues(
  name: "settings" | "variables",
  { ports, kind }: Pick<Environment, "ports" | "kind">,
): Promise<Record<string, string>> {
  const fill = { ...ports, postgres_bin: await newestPostgres() };
  return parseEnvFile(await Bun.file(join(root, "nomad/env", `${kind}.${name}`)).text(), fill);
}

/** The programs of the newest PostgreSQL that is installed. */
async function newestPostgres(): Promise<string> {
  const versions = await readdir("/usr/lib/postgresql").catch(() => []);
  const newest = versions.filter((version) => /^\d+$/.test(version)).toSorted((a, b) => Number(b) - Number(a))[0];
  return `/usr/lib/postgresql/${newest ?? "15"}/bin`;
}
