import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../../lib/core/errors.ts";
import { root } from "../environment.ts";
import { makeTarball, releaseAddress } from "./tarball.ts";

const usage = `Usage: task release [-- --to FOLDER] [--url BASE]

Makes a tarball of this checkout's services and prints its address, for the variable "release" of the job files. The
same commit gives the same tarball.

  --to FOLDER   where it is written (default: release)
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
    const tarball = await makeTarball(root, values.to);
    process.stderr.write(`wrote ${join(values.to, tarball.file)}\n`);
    process.stdout.write(`${releaseAddress(values.url, tarball)}\n`);
  }
} catch (error) {
  process.stderr.write(`release: ${messageOf(error)}\n`);
  process.exit(1);
}
