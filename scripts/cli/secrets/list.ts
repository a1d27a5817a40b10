import { resultCommand } from "../arguments.ts";
import { readNomadAddress } from "../operator/stack.ts";
import { table } from "../operator/table.ts";
import { requireNomadLeader } from "../../stack/leaders.ts";
import { createNomad } from "../../stack/nomad.ts";
import { describeFormats } from "./catalogue.ts";
import { survey } from "./survey.ts";
import { readVariables } from "./variables.ts";

const { json } = resultCommand(
  "secrets",
  `List the secrets of the cluster: the jobs that have each, the number of its values, its age.

Two values stand side by side while one is rotated, or are keys of a ring. Prints no value: equal
fingerprints mean equal values. Formats:
${describeFormats()}`,
)
  .parse()
  .opts();

const address = await readNomadAddress();
await requireNomadLeader(address);
const secrets = survey(await readVariables(createNomad(address)));
if (json) console.log(JSON.stringify({ secrets }));
else {
  const rows = secrets.map(({ name, jobs, values, fingerprint, since, rotation, rotatable }) => [
    name,
    jobs.join(" ") || "-",
    rotation === null ? `${values}` : `${values}, rotation: ${rotation}`,
    fingerprint ?? "-",
    since?.slice(0, 10) ?? "-",
    rotatable ? `secrets:rotate NAME=${name}` : "",
  ]);
  console.log(table([["SECRET", "JOBS", "VALUES", "FINGERPRINT", "SINCE", "TASK"], ...rows]));
}
