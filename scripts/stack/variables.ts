import { join } from "node:path";
import { parseEnvFile, readStackValues } from "./env_file.ts";
import type { Environment } from "./environment.ts";
import { writeStateFile } from "./state_file.ts";

/*
 * Values of the job files' variables for one stack, in job.env in its folder. Nomad takes NOMAD_VAR_<name> from the
 * environment, and ignores those that a job file does not declare; a -var or -var-file that it does not declare is an
 * error. By hand: `set -a; . FOLDER/job.env; set +a; nomad job run -preserve-counts FILE`.
 */

const fileOf = (stateDir: string) => join(stateDir, "job.env");

/** The variables of a stack with the addresses of its `releases`, for the environment of the nomad program. */
export async function jobVariables(
  environment: Environment,
  releases: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const values = { ...(await readStackValues("variables", environment)), ...releases };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`NOMAD_VAR_${name}`, value]));
}

/** Writes the variables of a stack with the addresses of its `releases`. */
export async function writeJobVariables(
  environment: Environment,
  releases: Readonly<Record<string, string>>,
): Promise<void> {
  const values = await jobVariables(environment, releases);
  const lines = Object.entries(values).map(([name, value]) => `${name}='${value}'`);
  const text = ["# Written by scripts/up.", `NOMAD_ADDR='${environment.nomadAddr}'`, ...lines, ""].join("\n");
  await writeStateFile(fileOf(environment.stateDir), text);
}

/** The variables as scripts/up wrote them, for the environment of the nomad program. Empty before the first `up`. */
export async function readJobVariables(stateDir: string): Promise<Record<string, string>> {
  const file = Bun.file(fileOf(stateDir));
  if (!(await file.exists())) return {};
  return parseJobVariables(await file.text());
}

/** The lines NOMAD_VAR_<name>='value' of a file for a shell, such as `task release` prints. */
export function parseJobVariables(text: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parseEnvFile(text))
      .filter(([name]) => name.startsWith("NOMAD_VAR_"))
      .map(([name, value]) => [name, value.replace(/^'(.*)'$/, "$1")]),
  );
}
