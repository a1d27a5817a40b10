import { basename, join } from "node:path";
import { root } from "../environment.ts";

/** The policies of a folder by the names of their files. */
export async function readPolicies(folder: string): Promise<Map<string, string>> {
  const files = [...new Bun.Glob("*.hcl").scanSync({ cwd: join(root, folder) })].toSorted();
  return new Map(
    await Promise.all(
      files.map(async (file) => [basename(file, ".hcl"), await Bun.file(join(root, folder, file)).text()] as const),
    ),
  );
}
