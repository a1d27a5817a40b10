import { rm } from "node:fs/promises";
import { join } from "node:path";
import { packExtension } from "./pack_extension.ts";

/** Bundles the console and packs its extension into `folder`, as static files. Throws if the sources have errors. */
export async function buildConsole(folder: string): Promise<string[]> {
  await rm(folder, { recursive: true, force: true });
  const { outputs } = await Bun.build({
    entrypoints: [join(import.meta.dir, "index.html")],
    outdir: folder,
    target: "browser",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
    // The console is served from the root of its host.
    publicPath: "/",
    throw: true,
  });
  const extension = join(folder, "passkey-extension.zip");
  await packExtension(extension);
  return [...outputs.map(({ path }) => path), extension];
}

if (import.meta.main) {
  const folder = process.argv[2];
  if (folder === undefined) {
    process.stderr.write("Usage: bun run services/console/build.ts FOLDER\n");
    process.exit(2);
  }
  for (const path of await buildConsole(folder)) process.stdout.write(`${path}\n`);
}
