import { resultCommand } from "../../cli/arguments.ts";
import { readNomadAddress } from "../../cli/operator/stack.ts";
import { table } from "../../cli/operator/table.ts";
import { requireNomadLeader } from "../leaders.ts";
import { createNomad } from "../nomad.ts";
import { faultsInCluster, registeredJobs } from "./apply.ts";

const { json } = resultCommand(
  "settings",
  `Check the settings and secrets in the Nomad Variables of a cluster.

Names each item that no service knows, that a job file sets itself, or that a service refuses or misses.
Never prints a value. Exits 1 if there is such an item.`,
)
  .parse()
  .opts();

const address = await readNomadAddress();
await requireNomadLeader(address);
const nomad = createNomad(address);
const running = await registeredJobs(nomad);
const faults = await faultsInCluster(nomad, running);
if (json) console.log(JSON.stringify({ jobs: running.map(({ ID }) => ID), faults }));
else if (faults.length > 0)
  console.log(
    table([["VARIABLE", "ITEM", "FAULT"], ...faults.map(({ path, item, message }) => [path, item, message])]),
  );
else console.log(`Every setting of ${running.length} jobs is known and accepted.`);
process.exitCode = faults.length > 0 ? 1 : 0;
