import { join } from "node:path";
import { sleep } from "../../lib/core/time.ts";
import { root } from "./environment.ts";
import type { Nomad } from "./nomad.ts";

type Volume = { ID: string; Name: string; State?: string };

/** A new volume is ready after about nine seconds, when the node has told of it. */
const READY_WITHIN_MS = 60_000;

const shardVolume = (index: number) => `wa-auth[${index}]`;

/** Every volume a stack with this many shards has, by the file in nomad/volumes that describes it. */
export function volumeFiles(shards: number): Map<string, string> {
  const files = new Map(["postgres-data", "redis-data", "simulator-data"].map((name) => [name, `${name}.volume.hcl`]));
  for (let index = 0; index < shards; index += 1) files.set(shardVolume(index), "wa-auth.volume.hcl");
  return files;
}

/** Makes the volumes that are missing and returns their names when all are ready. */
export async function ensureVolumes(nomad: Nomad, shards: number): Promise<string[]> {
  const files = volumeFiles(shards);
  const list = () => nomad<Volume[]>("GET", "/v1/volumes?type=host");
  const existing = new Set((await list()).map(({ Name }) => Name));
  const missing = [...files.keys()].filter((name) => !existing.has(name));
  await Promise.all(missing.map((name) => createVolume(name, files.get(name)!)));
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const ready = new Set((await list()).filter(({ State }) => State === "ready").map(({ Name }) => Name));
    const waiting = [...files.keys()].filter((name) => !ready.has(name));
    if (waiting.length === 0) break;
    if (performance.now() > deadline) throw new Error(`volumes not ready after ${READY_WITHIN_MS / 1000} s: ${waiting.join(", ")}`);
    await sleep(300);
  }
  return missing;
}

async function createVolume(name: string, file: string): Promise<void> {
  const specification = (await Bun.file(join(root, "nomad/volumes", file)).text()).replace(shardVolume(0), name);
  const child = Bun.spawn(["nomad", "volume", "create", "-detach", "-"], {
    stdin: new Blob([specification]),
    stdout: "ignore",
    stderr: "pipe",
  });
  const [errors, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`volume ${name} could not be made: ${errors.trim()}`);
}
