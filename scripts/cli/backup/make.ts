import { AppError } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { createDatabase, forPlatform, listCopies } from "../../../lib/db/index.ts";
import type { ShardCopyRow } from "../../../lib/db/index.ts";
import type { ListedObject } from "../../../lib/storage/index.ts";
import { createNomad } from "../../stack/nomad.ts";
import { readVariables, versionOfVariables } from "./cluster.ts";
import type { Destination } from "./destination.ts";
import { keyInSet, newId, putFile, putManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { backUpObjects, packList, sizeOf } from "./objects.ts";
import { PostgresServer } from "./postgres.ts";
import { seal } from "./seal.ts";
import { takeConsulSnapshot, takeNomadSnapshot } from "./snapshots.ts";
import { copiesShards, openStorages } from "./sources.ts";
import type { FolderOfVolume, Storages } from "./sources.ts";

export type BackupInput = {
  nomadAddr: string;
  consulAddr: string;
  /** Database of the platform. Its role may read the copies of shards. */
  databaseUrl: string;
  /** Postgres as its superuser; null if it is managed. */
  serverUrl: string | null;
  folderOf: FolderOfVolume;
  destination: Destination;
  /** True to go on without the logins of shards that are not copied. */
  withoutLogins: boolean;
  report: (step: string) => void;
};

/** Moments at which nothing changed while they were taken are rare on a busy cluster, but not that rare. */
const attempts = 10;
/** A shard that has just started takes its first snapshot within seconds. */
const copiedWithinMs = 120_000;

/**
 * Makes a backup of which every part belongs to one moment, the restore point in Postgres's log:
 *
 * - The objects of that moment are copied before it and again after it. They never change; a shard deletes the
 *   snapshot that a newer one replaces, so the point is set again if one was missed.
 * - The snapshot of Nomad is later than the point, so that it has every key that sealed something by then. A variable
 *   that was changed in between could have retired one, so the point is set again.
 */
export async function makeBackup(input: BackupInput): Promise<Manifest> {
  const { nomadAddr, destination, serverUrl, report } = input;
  if (destination.recipients.length === 0)
    throw new AppError("invalid_request", "Set BACKUP_RECIPIENTS; task backup -- --create-identity FILE makes a key.");
  const nomad = createNomad(nomadAddr);
  const variables = await readVariables(nomad);
  if (!copiesShards(variables) && !input.withoutLogins)
    throw new AppError(
      "conflict",
      "Shards do not copy their logins, so a backup would lack them: set WA_DURABILITY (services/whatsapp/copy), " +
        "or leave them out with --without-logins.",
    );
  const storages = await openStorages(variables, input.folderOf);
  const server = serverUrl === null ? null : new PostgresServer(serverUrl);
  const database = createDatabase({ url: input.databaseUrl, poolSize: 1, applicationName: "prosaas-backup" });
  const copies = () => listCopies(forPlatform(database));
  const started = new Date();
  const id = newId(started);
  try {
    await server?.requireArchiving();
    if (storages.shards !== null) await completeCopies(copies);
    report("files");
    await copyObjects(storages, destination, report);
    report("base backup of Postgres");
    const base = await server?.backUp(destination.keepDays);
    const moment = await markMoment({ input, id, server, storages, copies });
    const putSealed = async (name: string, content: Uint8Array) =>
      putFile(destination.store, keyInSet(id, `${name}.snap.age`), await seal(content, destination.recipients));
    const manifest: Manifest = {
      format: 1,
      id,
      started_at: started.toISOString(),
      consistent_at: moment.at.toISOString(),
      finished_at: new Date().toISOString(),
      postgres: base === undefined ? null : { ...base, restore_point: moment.name, wal: moment.wal },
      nomad: await putSealed("nomad", moment.nomad),
      consul: await putSealed("consul", moment.consul),
      shards: moment.shards.map(({ shard, epoch, snapshot_key, exact }) => ({
        shard,
        epoch,
        snapshot_key: snapshot_key!,
        exact,
      })),
      objects: {
        list: await putFile(destination.store, keyInSet(id, "objects.json.gz"), packList(moment.objects)),
        media: sizeOf(moment.objects.media),
        shards: sizeOf(moment.objects.shards),
      },
    };
    await putManifest(destination.store, manifest);
    return manifest;
  } finally {
    await server?.close();
    await database.close();
  }
}

async function copyObjects(storages: Storages, { store }: Destination, report: BackupInput["report"]) {
  const progress = (kind: string) => (copied: { objects: number; bytes: number }) =>
    report(`files (${kind}): ${copied.objects} new ones, ${(copied.bytes / 1_048_576).toFixed(1)} MB`);
  return {
    media: await backUpObjects("media", storages.media, store, progress("media")),
    shards: await backUpObjects("shards", storages.shards, store, progress("shards")),
  };
}

const isRestorable = ({ complete, snapshot_key }: ShardCopyRow) => complete && snapshot_key !== null;

/** @throws AppError if the copy of a shard stays incomplete */
async function completeCopies(copies: () => Promise<ShardCopyRow[]>): Promise<void> {
  const deadline = performance.now() + copiedWithinMs;
  for (;;) {
    const lacking = (await copies()).filter((copy) => !isRestorable(copy)).map(({ shard }) => shard);
    if (lacking.length === 0) return;
    if (performance.now() > deadline)
      throw new AppError("conflict", `The copy of shard ${lacking.join(", ")} is not complete. See: task copies`);
    await sleep(1_000);
  }
}

type Moment = {
  at: Date;
  name: string;
  wal: string;
  shards: ShardCopyRow[];
  objects: Record<"media" | "shards", ListedObject[]>;
  nomad: Uint8Array;
  consul: Uint8Array;
};

type MomentOptions = {
  input: BackupInput;
  id: string;
  server: PostgresServer | null;
  storages: Storages;
  copies: () => Promise<ShardCopyRow[]>;
};

const basesOf = (copies: readonly ShardCopyRow[]): string =>
  copies.map((copy) => `${copy.shard} ${copy.epoch} ${copy.snapshot_key} ${isRestorable(copy)}`).join("\n");

async function markMoment({ input, id, server, storages, copies }: MomentOptions): Promise<Moment> {
  const { destination, report } = input;
  const nomad = createNomad(input.nomadAddr);
  for (let attempt = 1; attempt <= attempts; attempt++) {
    report("restore point");
    const variables = await versionOfVariables(nomad);
    const shards = await copies();
    const name = `prosaas-${id}-${attempt}`;
    const point = (await server?.markRestorePoint(name)) ?? { wal: "", at: new Date() };
    const after = await copies();
    const objects = await copyObjects(storages, destination, report);
    const copied = new Set(objects.shards.map(({ key }) => key));
    const isWhole =
      storages.shards === null || shards.every((one) => isRestorable(one) && copied.has(one.snapshot_key!));
    if (basesOf(shards) !== basesOf(after) || !isWhole) continue;
    report("snapshots of Nomad and Consul");
    const snapshots = {
      nomad: await takeNomadSnapshot(input.nomadAddr),
      consul: await takeConsulSnapshot(input.consulAddr),
    };
    if ((await versionOfVariables(nomad)) !== variables) continue;
    return { ...point, name, shards: storages.shards === null ? [] : shards, objects, ...snapshots };
  }
  throw new AppError("conflict", "Shards, settings or secrets changed all the time. Run the backup again.");
}
