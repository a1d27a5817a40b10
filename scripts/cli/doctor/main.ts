import { resultCommand } from "../arguments.ts";
import { readStack } from "../operator/stack.ts";
import { examine } from "./examine.ts";
import { bySeverity, count, describeFinding } from "./finding.ts";
import { partsOf } from "./parts.ts";
import { openCluster } from "./read/cluster.ts";

const { json } = resultCommand(
  "doctor",
  `Check a cluster from end to end, and say what is wrong and what to do.

Examines servers, nodes, jobs, services, settings, shards and their copies, sessions, queues, Postgres,
its backups, Redis and the edge. Changes nothing. Prints one finding a line: an error, a fact that could not be read
(unknown), or a warning. Uses DATABASE_URL, DATABASE_URL_READ and REDIS_URL if they are set, else the
secrets of the cluster. Exits 1 if there is a finding.`,
)
  .parse()
  .opts();

const stack = await readStack();
const cluster = openCluster(stack);
const parts = partsOf(cluster);
const findings = bySeverity(await examine(parts));

if (json) {
  const areas = parts.map(({ area }) => area);
  console.log(JSON.stringify({ stack: stack.stack, healthy: findings.length === 0, areas, findings }));
} else if (findings.length === 0) {
  console.log(`${stack.base_url} is healthy: ${count(parts.length, "part")} examined, nothing found.`);
} else {
  for (const finding of findings) console.log(describeFinding(finding));
  console.log(`\n${count(findings.length, "finding")} in ${count(parts.length, "part")} of ${stack.base_url}.`);
}
await cluster.close();
// Requests that were given up may still wait for their answers.
process.exit(findings.length > 0 ? 1 : 0);
