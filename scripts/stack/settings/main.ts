import { messageOf } from "../../../lib/core/errors.ts";
import { readNomadAddress } from "../../cli/operator/stack.ts";
import { allJobs } from "../jobs.ts";
import { createNomad, orNull } from "../nomad.ts";
import type { Job } from "../nomad.ts";
import { faultsInCluster } from "./apply.ts";
import { describeFaults } from "./check.ts";

/* Checks the Nomad Variables of a cluster against the settings that its services know. Exits 1 for a fault. */

try {
  const nomad = createNomad(await readNomadAddress());
  const jobs = await Promise.all(allJobs.map((id) => orNull(nomad<Job>("GET", `/v1/job/${id}`))));
  const faults = await faultsInCluster(
    nomad,
    jobs.filter((job) => job !== null),
  );
  if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ faults })}\n`);
  else if (faults.length > 0) process.stderr.write(`${describeFaults(faults)}\n`);
  else process.stderr.write("Every setting is known and accepted.\n");
  process.exit(faults.length > 0 ? 1 : 0);
} catch (error) {
  process.stderr.write(`settings: ${messageOf(error)}\n`);
  process.exit(1);
}
