import { connectAsOwner } from "../../../lib/db/client/owner.ts";
import { surveyIndexes } from "../../../services/indexer/survey.ts";
import { resultCommand } from "../arguments.ts";
import { databaseUrl } from "./database.ts";
import { table } from "./table.ts";

const values = resultCommand(
  "indexes",
  `Show the state and size of every index: missing, invalid, unused or retired.

The indexer builds missing indexes and rebuilds invalid ones. It drops a retired index when you name
it:

  nomad job dispatch indexer
  nomad job dispatch -meta drop=NAME indexer

Reads DATABASE_URL, or the secrets of the running stack. Exits 1 if an index is missing or invalid.`,
)
  .parse()
  .opts();

const sql = connectAsOwner({ url: await databaseUrl(), applicationName: "prosaas-indexes" });
try {
  const survey = await surveyIndexes(sql);
  if (values.json) {
    console.log(JSON.stringify(survey));
  } else {
    const size = (bytes: number) =>
      bytes < 1_048_576 ? `${Math.ceil(bytes / 1_024)} kB` : `${(bytes / 1_048_576).toFixed(1)} MB`;
    const rows = survey.indexes.map(({ table: of, name, state, bytes, scans, unused }) => [
      of,
      name,
      unused ? "unused" : state,
      size(bytes),
      String(scans),
    ]);
    console.log(table([["TABLE", "INDEX", "STATE", "SIZE", "SCANS"], ...rows]));
  }
  process.exitCode = survey.missing.length + survey.invalid.length > 0 ? 1 : 0;
} finally {
  await sql.end({ timeout: 5 });
}
