import { resolve } from "node:path";
import { kvPut } from "../../../lib/consul/client.ts";
import { holdLock, LockHeldElsewhere } from "../../../lib/consul/lock.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { lastBackupKey } from "../../../services/workers/upkeep/last_backup.ts";
import { connectConsul } from "../../stack/consul.ts";
import { createNomad } from "../../stack/nomad.ts";
import { createProgress, seconds } from "../../stack/progress.ts";
import { resultCommand, taskVariable } from "../arguments.ts";
import { duration } from "../doctor/finding.ts";
import { readStack } from "../operator/stack.ts";
import type { Stack } from "../operator/stack.ts";
import { table } from "../operator/table.ts";
import { postgresUrls, readVariables, volumesOfMachine } from "./cluster.ts";
import { readDestination } from "./destination.ts";
import { makeBackup } from "./make.ts";
import { findBackup, listBackups } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { prune } from "./prune.ts";
import { createIdentity, readIdentity } from "./seal.ts";
import { copiesShards } from "./sources.ts";
import { verifyBackup } from "./verify.ts";

const values = resultCommand(
  "backup",
  `Back up a cluster: Postgres, secrets and settings, logins of shards, and files (scripts/cli/backup).

Writes to BACKUP_URL, encrypted for BACKUP_RECIPIENTS. Removes backups that are older than
BACKUP_KEEP_DAYS (14). Call it daily, from a timer. Exits 1 if the backup is not complete.`,
)
  .addOption(taskVariable("--from <folder>").default("."))
  .option("--list", "show the backups", false)
  .option("--verify [id]", "restore a backup, the newest by default, to folders of this machine; needs --identity")
  .option("--identity <file>", "the private key that opens backups")
  .option("--create-identity <file>", "make a private key, and print the public key for BACKUP_RECIPIENTS")
  .option("--without-logins", "go on although shards do not copy their logins", false)
  .option("--dry-run", "print what would be backed up, and change nothing", false)
  .parse()
  .opts();

const progress = createProgress();
const began = performance.now();
const report = (step: string) => progress.waiting(`${seconds(performance.now() - began)}  ${step}`);
const megabytes = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MB`;

if (values.createIdentity !== undefined) await create(values.createIdentity);
else if (values.list) await list();
else if (values.verify !== undefined) await verify(values.verify === true ? undefined : values.verify);
else await make(await readStack());

async function create(path: string): Promise<void> {
  const recipient = await createIdentity(resolve(values.from, path));
  if (values.json) console.log(JSON.stringify({ recipient, identity_file: path }));
  else
    console.log(
      `BACKUP_RECIPIENTS=${recipient}\nKeep ${path} outside the cluster, twice: without it no backup can be opened.`,
    );
}

async function list(): Promise<void> {
  const { store, url } = readDestination();
  const backups = await listBackups(store);
  if (values.json) {
    console.log(JSON.stringify({ url, backups }));
    return;
  }
  const rows = backups.map((one) => [one.id, ageOf(one), ...partsOf(one)]);
  console.log(table([["BACKUP", "AGE", "POSTGRES", "SHARDS", "FILES"], ...rows]));
}

const ageOf = ({ consistent_at }: Manifest) => duration(Date.now() - Date.parse(consistent_at));

function partsOf({ postgres, shards, objects: { media, shards: snapshots } }: Manifest): string[] {
  const files = `${media.count + snapshots.count}, ${megabytes(media.bytes + snapshots.bytes)}`;
  const base = postgres === null ? "managed" : `${postgres.type}, ${megabytes(postgres.database_bytes)}`;
  return [base, shards.length === 0 ? "none" : shards.map(({ shard }) => shard).join(","), files];
}

async function verify(id: string | undefined): Promise<void> {
  if (values.identity === undefined)
    throw new AppError("invalid_request", "Name the private key that opens backups: --identity FILE.");
  const { store } = readDestination();
  const manifest = await findBackup(store, id);
  const found = await verifyBackup(manifest, store, await readIdentity(resolve(values.from, values.identity)), report);
  if (values.json) {
    console.log(JSON.stringify({ id: manifest.id, verified: true, ...found }));
    return;
  }
  const database =
    found.postgres === null
      ? "Postgres is managed"
      : `Postgres has ${found.postgres.businesses} businesses and ${found.postgres.sessions} logins`;
  progress.done(
    `${manifest.id}, ${ageOf(manifest)} old, can be restored: ${database}; ${found.objects} files are there`,
  );
}

async function make(stack: Stack): Promise<void> {
  const destination = readDestination();
  const nomadAddr = stack.nomad_addr;
  const consul = connectConsul(stack.consul_http_addr);
  if (values.dryRun) {
    const variables = await readVariables(createNomad(nomadAddr));
    const plan = { url: destination.url, variables: [...variables.keys()].toSorted(), logins: copiesShards(variables) };
    console.log(values.json ? JSON.stringify({ dry_run: true, ...plan }) : Bun.YAML.stringify(plan, null, 2));
    return;
  }
  const lock = await holdLock({
    consul,
    key: "prosaas/backup/lock",
    value: JSON.stringify({ pid: process.pid, since: new Date().toISOString() }),
    onLost: () => {
      console.error("Another backup took over. Nothing else is written.");
      process.exit(1);
    },
  }).catch((error: unknown) => {
    throw error instanceof LockHeldElsewhere ? new AppError("conflict", "Another backup is running.") : error;
  });
  try {
    const manifest = await makeBackup({
      nomadAddr,
      consulAddr: stack.consul_http_addr,
      ...(await postgresUrls(stack)),
      folderOf: volumesOfMachine(nomadAddr),
      destination,
      withoutLogins: values.withoutLogins,
      report,
    });
    report("expired backups");
    const removed = await prune(destination, new Date());
    // Monitoring reads it: an alert fires when it gets too old.
    await kvPut(consul, lastBackupKey, JSON.stringify({ id: manifest.id, at: manifest.consistent_at }));
    const took = performance.now() - began;
    if (values.json)
      console.log(JSON.stringify({ backup: manifest, removed, took_s: Number((took / 1000).toFixed(1)) }));
    else {
      progress.done(`${manifest.id} in ${seconds(took)}: ${partsOf(manifest).join("; ")}`);
      if (removed.backups.length > 0) progress.done(`removed ${removed.backups.join(", ")}`);
    }
  } finally {
    await lock.release();
  }
}
