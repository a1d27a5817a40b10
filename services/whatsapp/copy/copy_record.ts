import { existsSync, readFileSync, rmSync } from "node:fs";
import { z } from "zod";
import { messageOf } from "../../../lib/core/errors.ts";
import { replaceFile } from "../volume/durable_file.ts";
import { VolumeRefused } from "../volume/volume.ts";
import type { Volume } from "../volume/volume.ts";

const record = z.object({
  /** Identifies the volume in Postgres. */
  volume: z.uuid(),
  /** The epoch under which this volume last claimed the copy, or was about to. */
  epoch: z.int().min(0),
  state: z.enum(["restoring", "live"]),
  /** True while Postgres lacks more than the last moment. */
  behind: z.boolean(),
  /** Identifies the tables of the last snapshot, and the first key of its ring; empty before there was one. */
  schema: z.string(),
  key: z.string(),
  /** The last row of the tail after a stop that copied everything; null at any other time. */
  end: z.int().min(0).nullable(),
  /** True from the moment that this volume starts to delete its copy. */
  discarding: z.boolean().optional(),
});

/** The volume's record of its copy. */
export type CopyRecord = z.infer<typeof record>;

const pathOf = (volume: Volume) => volume.file("copy.json");

/**
 * The volume's record; undefined for a volume without a copy.
 * @throws VolumeRefused if it cannot be read: it is unknown whether this volume owns the copy.
 */
export function readCopyRecord(volume: Volume): CopyRecord | undefined {
  const path = pathOf(volume);
  if (!existsSync(path)) return undefined;
  try {
    return record.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    throw new VolumeRefused(`${path} cannot be read: ${messageOf(error)}`);
  }
}

/** Replaces the record; it is on the disk when this returns. */
export function writeCopyRecord(volume: Volume, value: CopyRecord): void {
  replaceFile(pathOf(volume), `${JSON.stringify(value)}\n`);
}

export function removeCopyRecord(volume: Volume): void {
  rmSync(pathOf(volume), { force: true });
}

/**
 * True if an operator has discarded the copy that the record of the volume names, so that this volume may be an older
 * one whose Signal keys have been used since. False if the volume deleted the copy itself, or if no copy of it could
 * have been restored: a claim whose answer was lost leaves such a record.
 */
export const wasDiscarded = ({ state, schema, discarding }: CopyRecord): boolean =>
  discarding !== true && (schema !== "" || state === "restoring");

/** True if no shard has written to the volume yet. */
export const isEmptyVolume = (volume: Volume): boolean =>
  !existsSync(volume.file("shard.db")) && !existsSync(volume.file("sessions"));
