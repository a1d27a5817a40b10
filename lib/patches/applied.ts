import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import baileys from "./@whiskeysockets%2Fbaileys@7.0.0-rc14.patch" with { type: "text" };
import libsignal from "./libsignal@6.0.0.patch" with { type: "text" };

/** The patches that a shard depends on: without one, messages are lost or signatures are not verified. */
const shardPatches: Readonly<Record<string, string>> = { "@whiskeysockets/baileys": baileys, libsignal };

export type PatchState = {
  package: string;
  /** True if the installed package has every line that the patch adds. */
  applied: boolean;
  /** Files without some of those lines. */
  missing: string[];
};

/** Compares the installed packages with the patches. */
export function patchStates(patches: Readonly<Record<string, string>> = shardPatches): PatchState[] {
  return Object.entries(patches).map(([name, patch]) => {
    const missing = unpatchedFiles(patch, (file) => readFileSync(join(folderOf(name), file), "utf8"));
    return { package: name, applied: missing.length === 0, missing };
  });
}

/** The files of a patch that lack a line which it adds, or cannot be read. */
export function unpatchedFiles(patch: string, read: (file: string) => string): string[] {
  return patch.split(/^diff --git .*$/m).flatMap((part) => {
    const file = /^\+\+\+ b\/(.+)$/m.exec(part)?.[1];
    if (file === undefined) return [];
    const added = part.split("\n").flatMap((line) => (/^\+(?!\+\+ b\/)/.test(line) ? [line.slice(1)] : []));
    try {
      const lines = new Set(read(file).split("\n"));
      return added.every((line) => lines.has(line)) ? [] : [file];
    } catch {
      return [file];
    }
  });
}

function folderOf(name: string): string {
  const entry = fileURLToPath(import.meta.resolve(name));
  const folder = join("node_modules", name);
  return entry.slice(0, entry.lastIndexOf(folder) + folder.length);
}
