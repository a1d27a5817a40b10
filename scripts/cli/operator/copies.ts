import { createDatabase, forPlatform } from "../../../lib/db/index.ts";
import { resultCommand } from "../arguments.ts";
import { databaseUrl } from "./database.ts";
import { surveyCopies } from "./survey_copies.ts";
import { table } from "./table.ts";

const values = resultCommand(
  "copies",
  `Show the copies of the shards, and whether each shard could be restored now
(services/whatsapp/copy/README.md).

Reads DATABASE_URL, or the secrets of the running stack. Exits 1 if a shard could not be restored.`,
)
  .parse()
  .opts();

const db = createDatabase({ url: await databaseUrl(), poolSize: 1, applicationName: "prosaas-copies" });
try {
  const copies = await surveyCopies(forPlatform(db));
  if (values.json) console.log(JSON.stringify({ copies }));
  else {
    const megabytes = (bytes: number | null) => (bytes === null ? "–" : `${(bytes / 1_048_576).toFixed(1)} MB`);
    const rows = copies.map((copy) => [
      String(copy.shard),
      String(copy.epoch),
      copy.leased ? "yes" : "no",
      `${copy.appended_ago_s} s ago`,
      megabytes(copy.snapshot_bytes),
      `${copy.tail_rows} rows, ${megabytes(copy.tail_bytes)}`,
      copy.fault ?? (copy.exact ? "yes" : "yes, with new Signal sessions"),
    ]);
    console.log(table([["SHARD", "EPOCH", "OWNED", "APPENDED", "SNAPSHOT", "TAIL", "RESTORABLE"], ...rows]));
  }
  process.exitCode = copies.some(({ fault }) => fault !== null) ? 1 : 0;
} finally {
  await db.close();
}
