import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { createFolderStore, createStore, storageEnv } from "../../../lib/storage/index.ts";
import type { ListableStore } from "../../../lib/storage/index.ts";
import type { Kind } from "./objects.ts";

/** Items of the Nomad Variables by their path. */
export type Variables = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** The storages that services write to; null for one that the cluster does not use. */
export type Storages = Record<Kind, ListableStore | null>;

/** Returns the folder of this machine that is a volume's; undefined if the volume is on another one. */
export type FolderOfVolume = (volume: string) => Promise<string | undefined>;

const settingsOf = (variables: Variables, job: string): Record<string, string> => ({
  ...variables.get("nomad/jobs"),
  ...variables.get(`nomad/jobs/${job}`),
});

/** True if shards copy their state, without which no backup has their logins (services/whatsapp/copy). */
export const copiesShards = (variables: Variables): boolean =>
  ["copied", "required"].includes(settingsOf(variables, "wa-shards")["WA_DURABILITY"] ?? "local");

/** Opens the storages by the settings of the services that write to them. */
export async function openStorages(variables: Variables, folderOf: FolderOfVolume): Promise<Storages> {
  return {
    media: await openStorage(settingsOf(variables, "api"), folderOf),
    shards: copiesShards(variables) ? await openStorage(settingsOf(variables, "wa-shards"), folderOf) : null,
  };
}

async function openStorage(settings: Record<string, string>, folderOf: FolderOfVolume): Promise<ListableStore | null> {
  const config = z.object(storageEnv).parse(settings);
  if (config.STORAGE_URL === "file:///media") {
    const folder = await folderOf("media");
    if (folder !== undefined) return createFolderStore(folder);
    throw new AppError("conflict", "The volume media is on another machine: run this command as root on its node.");
  }
  return createStore(config);
}
