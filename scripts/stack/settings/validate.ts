import { basename, join } from "node:path";
import { parseEnvFile } from "../env_file.ts";
import { root } from "../environment.ts";
import { parseJobFile } from "../job_file.ts";
import { checkShared, describeFaults } from "./check.ts";

/* The second half of scripts/validate-job: the settings in nomad/env, against the services and the given job files. */

const files = process.argv.slice(2).filter((file) => file.endsWith(".nomad.hcl"));
const jobs = await Promise.all(files.map((file) => parseJobFile(basename(file, ".nomad.hcl"), {})));
for (const file of ["nomad/env/dev.settings", "nomad/env/cluster.settings"]) {
  const settings = (await Bun.file(join(root, file)).text()).replaceAll(/\{\w+\}/g, "1");
  const faults = checkShared(parseEnvFile(settings), jobs);
  if (faults.length === 0) continue;
  process.stderr.write(`${file}:\n${describeFaults(faults)}\n`);
  process.exitCode = 1;
}
