import { requireNomadLeader } from "../../stack/leaders.ts";
import { createNomad } from "../../stack/nomad.ts";
import { resultCommand } from "../arguments.ts";
import { readNomadAddress } from "./stack.ts";
import { surveyConnections } from "./survey_connections.ts";
import { table } from "./table.ts";

const values = resultCommand(
  "connections",
  `Compare the database connections that all processes may open with the limits of pgbouncer, Postgres
and its replica.

Counts the requested allocations and one more of each group for a deploy. Exits 1 if a limit is
exceeded.`,
)
  .parse()
  .opts();

const address = await readNomadAddress();
await requireNomadLeader(address);
const survey = await surveyConnections(createNomad(address));
if ("missing" in survey) {
  console.error(`${survey.missing} is missing in the running jobs; for a managed server, check its own limit.`);
  process.exit(1);
}
const { sums } = survey;
const fits = sums.every((sum) => sum.fits);

if (values.json) console.log(JSON.stringify({ fits, sums }));
else {
  const rows = sums.flatMap(({ server, users, wanted, allowed, fits: does }) => [
    ...users.map(({ name, processes, each }) => [server, name, `${processes} × ${each}`, String(processes * each), ""]),
    [server, "together", "", String(wanted), `of ${allowed}${does ? "" : ": too many"}`],
  ]);
  console.log(table([["SERVER", "WHO", "PROCESSES × POOL", "CONNECTIONS", ""], ...rows]));
}
process.exit(fits ? 0 : 1);
