import { basename, join } from "node:path";
import { parseEnvFile } from "../env_file.ts";
import { root } from "../environment.ts";
import { parseJobFile } from "../job_file.ts";
import { checkShared, describeFaults } from "./check.ts";

/* The second half of scripts/validate-job: the settings in nomad/env, as far as the job of the file reads them. */

const job = await parseJobFile(basename(process.argv[2]!, ".nomad.hcl"), {
  NOMAD_VAR_release: "https://releases.example.com/prosaas.tar.gz",
});
const settings = (await Bun.file(join(root, "nomad/env/dev.settings")).text()).replaceAll(/\{\w+\}/g, "1");
const faults = checkShared(parseEnvFile(settings), [job]);
if (faults.length > 0) {
  process.stderr.write(`nomad/env/dev.settings:\n${describeFaults(faults)}\n`);
  process.exit(1);
}
