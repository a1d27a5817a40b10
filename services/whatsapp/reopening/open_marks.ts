import { existsSync, rmSync, writeFileSync } from "node:fs";
import type { Volume } from "../volume/volume.ts";

/**
 * The sessions that were open when the last process ended, however it ended: each has a file in its folder. A mark that
 * a full disk or a power cut loses only means that a deployment does not wait for that session.
 */
export type OpenMarks = {
  has(business: string): boolean;
  set(business: string): void;
  clear(business: string): void;
};

export function openMarks(volume: Pick<Volume, "file">): OpenMarks {
  const path = (business: string) => volume.file("sessions", business, "open");
  return {
    has: (business) => existsSync(path(business)),
    set: (business) => {
      try {
        writeFileSync(path(business), "", { mode: 0o600 });
      } catch {}
    },
    clear: (business) => {
      try {
        rmSync(path(business), { force: true });
      } catch {}
    },
  };
}
