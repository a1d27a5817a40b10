import { resolve } from "node:path";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { AppError } from "../../../lib/core/errors.ts";
import { createProgress, seconds } from "../../stack/progress.ts";
import { resultCommand, taskVariable } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { readStack } from "../operator/stack.ts";
import { readDestination } from "./destination.ts";
import { findBackup, listBackups } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { chooseBackup, nextSteps, restoreCluster, restorePostgres, restoreTarget } from "./restore.ts";
import type { Until } from "./restore.ts";
import { readIdentity } from "./seal.ts";
import { openBackup } from "./verify.ts";

const time = (text: string): Date => {
  const at = new Date(text);
  if (Number.isNaN(at.getTime()) || !/(Z|[+-]\d\d:?\d\d)$/.test(text))
    throw new InvalidArgumentError("Give a time with its zone, such as 2026-11-30T18:00:00Z.");
  return at;
};

const values = resultCommand(
  "restore:backup",
  `Restore a backup into a cluster without jobs: settings, secrets, files, and what Postgres and the shards
restore themselves from when they are deployed (scripts/cli/backup). With --postgres-only, only Postgres of a
cluster that exists goes back.

Reads BACKUP_URL. By default everything is restored as it was at the moment of the newest backup.`,
)
  .addOption(taskVariable("--from <folder>").default("."))
  .option("--identity <file>", "the private key that opens backups")
  .option("--id <id>", "another backup than the newest one")
  .option("--time <time>", "Postgres as it was at this time, such as 2026-11-30T18:00:00Z", time)
  .option("--latest", "Postgres up to the end of its log, where the storages of the lost cluster still exist", false)
  .option(
    "--postgres-only",
    "only Postgres, of a cluster whose jobs are stopped; keeps its present data beside it",
    false,
  )
  .option("--dry-run", "print what would be restored, and change nothing", false)
  .option("--yes", "do not ask for confirmation", false)
  .parse()
  .opts();

if (values.latest && values.time !== undefined) throw new AppError("invalid_request", "Give --time or --latest.");
const until: Until =
  values.time !== undefined ? { is: "time", at: values.time } : { is: values.latest ? "latest" : "backup" };
const { store: backups } = readDestination();
const manifest = values.id === undefined ? await chosen() : await findBackup(backups, values.id);
const target = manifest.postgres === null ? null : restoreTarget(manifest.postgres, until);
const stack = await readStack();
const what =
  `restore ${values.postgresOnly ? "Postgres of" : "backup"} ${manifest.id} into the cluster at ${stack.nomad_addr}` +
  (target === null ? "" : ` (pgBackRest: ${target})`);

const progress = createProgress();
const began = performance.now();
const report = (step: string) => progress.waiting(`${seconds(performance.now() - began)}  ${step}`);

if (values.dryRun) print({ dry_run: true }, [`This would ${what}.`]);
else {
  if (!values.yes) await confirm(what);
  const steps = values.postgresOnly ? await postgresAlone() : await whole();
  print(
    { restored: manifest.id, next: steps },
    steps.map((step, n) => `${n + 1}. ${step}`),
  );
}

async function chosen(): Promise<Manifest> {
  const found = chooseBackup(await listBackups(backups), until);
  if (found === undefined) throw new AppError("not_found", "No backup is old enough. See: task backup -- --list");
  return found;
}

async function whole(): Promise<string[]> {
  if (values.identity === undefined)
    throw new AppError("invalid_request", "Name the private key that opens backups: --identity FILE.");
  report("snapshots of Nomad and Consul");
  const content = await openBackup(manifest, backups, await readIdentity(resolve(values.from, values.identity)));
  const { nomad_addr: nomadAddr, consul_http_addr: consulAddr } = stack;
  await restoreCluster({ nomadAddr, consulAddr, manifest, content, backups, until, report });
  progress.done(`backup ${manifest.id} is in the cluster (${seconds(performance.now() - began)})`);
  return nextSteps(content);
}

async function postgresAlone(): Promise<string[]> {
  await restorePostgres({ nomadAddr: stack.nomad_addr, manifest, until });
  return [
    "Start Postgres again: nomad job restart -reschedule -yes postgres. It keeps its present data in main.before.",
    "Copy Postgres to its replica again: delete the volume postgres-replica-data before its job starts.",
    'Read "Back in time under living shards" in scripts/cli/backup/README.md, then start the stopped jobs.',
  ];
}

function print(result: object, lines: readonly string[]): void {
  console.log(values.json ? JSON.stringify({ id: manifest.id, target, ...result }) : lines.join("\n"));
}
