import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/** How long the auth store of a logged-out login is kept, in case the logout was a mistake. */
export const archiveRetentionMs = 24 * 3_600_000;

/** Moves a business's folder to the archive. Does nothing if there is none. */
export function archiveStore(sessions: string, aside: string, businessId: string, now = Date.now()): void {
  const from = join(sessions, businessId);
  if (!existsSync(from)) return;
  mkdirSync(aside, { recursive: true, mode: 0o700 });
  renameSync(from, join(aside, `${businessId}.${now}`));
}

/** Deletes archived stores past their retention. */
export function purgeArchive(aside: string, now = Date.now()): void {
  if (!existsSync(aside)) return;
  for (const name of readdirSync(aside)) {
    const at = Number(name.split(".").at(-1));
    if (Number.isFinite(at) && now - at > archiveRetentionMs)
      rmSync(join(aside, name), { recursive: true, force: true });
  }
}
