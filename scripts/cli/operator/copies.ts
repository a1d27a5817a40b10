import { z } from "zod";
import { createDatabase, forPlatform } from "../../../lib/db/index.ts";
import { createStore, storageEnv } from "../../../lib/storage/index.ts";
import { resultCommand, wholeNumber } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { databaseUrl } from "./database.ts";
import { discardPlanned, planDiscard } from "./discard_copy.ts";
import { surveyCopies } from "./survey_copies.ts";
import { table } from "./table.ts";

const values = resultCommand(
  "copies",
  `Show the copies of the shards, and whether each shard could be restored now; or discard one
(services/whatsapp/copy/README.md).

Reads DATABASE_URL, or the secrets of the running stack. Exits 1 if a shard could not be restored.
--discard deletes the copy's objects if STORAGE_URL is set, and prints their keys otherwise.`,
)
  .option(
    "--discard <shard>",
    "delete the copy of a shard that is stopped; asks for confirmation",
    wholeNumber(1, 10_000),
  )
  .option("--dry-run", "print what would be deleted, and change nothing", false)
  .option("--yes", "do not ask for confirmation", false)
  .parse()
  .opts();

const db = createDatabase({ url: await databaseUrl(), poolSize: 1, applicationName: "prosaas-copies" });
const scope = forPlatform(db);
try {
  if (values.discard === undefined) await list();
  else await discard(values.discard);
} finally {
  await db.close();
}

async function list(): Promise<void> {
  const copies = await surveyCopies(scope);
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
}

async function discard(shard: number): Promise<void> {
  const store = createStore(z.object(storageEnv).parse(process.env));
  const plan = await planDiscard(scope, shard);
  const what =
    `delete the copy of shard ${shard} (epoch ${plan.epoch}, last append ${plan.appended_ago_s} s ago, ` +
    `${plan.complete ? "complete" : "with a gap"}): the shard starts with the state of the volume that is mounted`;
  if (values.dryRun) {
    console.log(values.json ? JSON.stringify({ dry_run: true, plan }) : `This would ${what}.`);
    return;
  }
  if (!values.yes) await confirm(what);
  const left = await discardPlanned(scope, plan, store);
  if (values.json) console.log(JSON.stringify({ discarded: plan, objects_left: left }));
  else {
    console.log(`Deleted the copy of shard ${shard}.`);
    if (left.length > 0) console.log(`Delete these objects from the storage: ${left.join(", ")}`);
  }
}
