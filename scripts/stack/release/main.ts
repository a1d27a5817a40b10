import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { messageOf } from "../../../lib/core/errors.ts";
import { commandLine, taskVariable } from "../../cli/arguments.ts";
import { table } from "../../cli/operator/table.ts";
import { writeSbom } from "../../supply/sbom.ts";
import { root } from "../environment.ts";
import { parts, releaseVariable } from "./parts.ts";
import { makeRelease, releaseAddress } from "./tarball.ts";

const command = commandLine(
  "release",
  `Make a tarball of each service and of the console, and print their addresses for the job files.

Prints NOMAD_VAR_<service>_release='ADDRESS' for each, to be kept in a file: task release > release.env
Writes a bill of materials (CycloneDX) beside them: the packages with their licences and checksums.
The same commit gives the same tarballs, and a service that a commit leaves alone keeps its tarball.`,
)
  .option("--to <folder>", "folder for the tarballs", join(root, "release"))
  .addOption(taskVariable("--from <folder>").default("."))
  .option("--url <base>", "address at which Nomad will find the folder", "https://releases.example.com")
  .option("--json", "print one JSON object instead", false)
  .parse();
const { to, from, url, json } = command.opts();

const folder = resolve(from, to);
await mkdir(folder, { recursive: true }).catch((error: unknown) => command.error(`error: --to: ${messageOf(error)}`));
const release = await makeRelease(root, folder);
const sbom = await writeSbom(root, folder, release);
const made = parts.map((part) => ({ part, ...release[part], address: releaseAddress(url, release[part]) }));

const rows = [...made, { part: "materials", ...sbom }].map(({ part, file, bytes }) => [
  part,
  `${(bytes / 1e6).toFixed(1)} MB`,
  file,
]);
process.stderr.write(`${folder}\n${table([["part", "size", "file"], ...rows])}\n`);
if (json) console.log(JSON.stringify({ folder, tarballs: made, sbom }));
else for (const { part, address } of made) console.log(`NOMAD_VAR_${releaseVariable(part)}='${address}'`);
