import { connectAsOwner } from "../../../lib/db/client/owner.ts";
import { surveyIndexes } from "../../../services/indexer/survey.ts";
import { readOptions, resultOptions } from "./command_line.ts";
import { databaseUrl } from "./database.ts";
import { table } from "./table.ts";

const usage = `Usage: task indexes [-- --json]

Every index of the database: what is missing, invalid, unused or retired, and the size of each. The indexer builds what
is missing and rebuilds what is invalid; a retired one is dropped when it is asked for by name:

  nomad job dispatch indexer
  nomad job dispatch -meta drop=NAME indexer

Reads DATABASE_URL, or the secrets of the running stack.`;

const values = readOptions(usage, resultOptions);

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
