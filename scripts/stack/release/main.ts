import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../../lib/core/errors.ts";
import { root } from "../environment.ts";
import { makeTarball, parts, releaseAddress, releaseVariables } from "./tarball.ts";

const usage = `Usage: task release [-- --to FOLDER] [--url BASE]

Makes a tarball of this checkout's services and one of its console, and prints their addresses as variables of the job
files: NOMAD_VAR_release and NOMAD_VAR_console_release. The same commit gives the same tarballs.

  --to FOLDER   where they are written (default: release)
  --url BASE    where FOLDER will be served, for Nomad to fetch (default: https://releases.example.com)
`;

try {
  const { values } = parseArgs({
    options: {
      to: { type: "string", default: join(root, "release") },
      url: { type: "string", default: "https://releases.example.com" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) process.stdout.write(usage);
  else {
    for (const part of parts) {
      const tarball = await makeTarball(root, values.to, part);
      process.stderr.write(`wrote ${join(values.to, tarball.file)}\n`);
      process.stdout.write(`NOMAD_VAR_${releaseVariables[part]}='${releaseAddress(values.url, tarball)}'\n`);
    }
  }
} catch (error) {
  process.stderr.write(`release: ${messageOf(error)}\n`);
  process.exit(1);
}
