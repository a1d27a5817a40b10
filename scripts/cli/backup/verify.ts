import { AppError } from "../../../lib/core/errors.ts";
import type { ListableStore } from "../../../lib/storage/index.ts";
import { inspectPostgres } from "./inspect.ts";
import type { Inspected } from "./inspect.ts";
import { getFile } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { missingObjects, unpackList } from "./objects.ts";
import type { ObjectList } from "./objects.ts";
import { readConsulSnapshot, readNomadSnapshot } from "./scratch.ts";
import { open } from "./seal.ts";
import type { Variables } from "./sources.ts";

export type Content = {
  variables: Variables;
  /** Count of each group, as "job/group". */
  counts: Record<string, number>;
  /** Settings in Consul's KV. */
  settings: ReadonlyMap<string, string>;
  objects: ObjectList;
};

/** Opens the snapshots of a backup. @throws AppError if a file was altered, or the identity is another's */
export async function openBackup(manifest: Manifest, store: ListableStore, identity: string): Promise<Content> {
  const [nomad, consul] = await Promise.all(
    [manifest.nomad, manifest.consul].map(async (file) => open(await getFile(store, file), identity)),
  );
  const { variables, counts } = await readNomadSnapshot(nomad!);
  const settings = await readConsulSnapshot(consul!);
  return { variables, counts, settings, objects: unpackList(await getFile(store, manifest.objects.list)) };
}

export type Verified = {
  variables: number;
  settings: number;
  objects: number;
  /** Null if Postgres is managed. */
  postgres: Inspected | null;
};

/**
 * Proves that a backup can be restored: opens the snapshots in servers of this machine, restores Postgres to a folder
 * of it, and looks for each object. Changes nothing in the cluster or in the backups.
 */
export async function verifyBackup(
  manifest: Manifest,
  store: ListableStore,
  identity: string,
  report: (step: string) => void,
): Promise<Verified> {
  report("snapshots of Nomad and Consul");
  const { variables, settings, objects } = await openBackup(manifest, store, identity);
  report("files");
  const missing = await missingObjects(objects, store);
  if (missing.length > 0)
    throw new AppError("conflict", `${missing.length} files are missing or cut off, such as ${missing[0]}.`);
  const lacking = manifest.shards.filter(({ snapshot_key }) => !objects.shards.some(({ key }) => key === snapshot_key));
  if (lacking.length > 0)
    throw new AppError("conflict", `The snapshot of shard ${lacking.map(({ shard }) => shard).join(", ")} is missing.`);
  report("Postgres");
  const { postgres } = manifest;
  return {
    variables: variables.size,
    settings: settings.size,
    objects: manifest.objects.media.count + manifest.objects.shards.count,
    postgres: postgres === null ? null : await inspectPostgres({ ...manifest, postgres }, variables),
  };
}
