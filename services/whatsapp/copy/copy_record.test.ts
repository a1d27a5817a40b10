import { expect, spyOn, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { claimVolume } from "../volume/volume.ts";
import { readCopyRecord, writeCopyRecord } from "./copy_record.ts";

test("the record of a copy survives a power cut", () => {
  const path = fs.mkdtempSync(join(tmpdir(), "copy-record-"));
  const volume = claimVolume(path, 1);
  const record = { volume: crypto.randomUUID(), epoch: 1, state: "live", behind: false, schema: "", key: "" } as const;
  const { fsyncSync } = fs;
  let epochOnDisk: number | undefined;
  const sync = spyOn(fs, "fsyncSync").mockImplementation((file) => {
    fsyncSync(file);
    // A rename is on the disk once its folder was flushed after it.
    if (fs.readlinkSync(`/proc/self/fd/${file}`) === path) epochOnDisk = readCopyRecord(volume)?.epoch;
  });
  try {
    for (const epoch of [1, 2]) {
      writeCopyRecord(volume, { ...record, epoch, end: null });
      expect(epochOnDisk).toBe(epoch);
    }
  } finally {
    sync.mockRestore();
    volume.release();
    fs.rmSync(path, { recursive: true });
  }
});
