import { join } from "node:path";
import { sleep } from "../../lib/core/time.ts";
import { root } from "./environment.ts";
import { createNomad } from "./nomad.ts";

export type Volume = { ID: string; Name: string; State?: string };

/** A new volume is ready after about nine seconds, when the node has told of it. */
const READY_WITHIN_MS = 60_000;

/** The volume of a shard, by the index of its allocation. */
export const shardVolume = (index: number): string => `wa-auth[${index}]`;

/** The index in the name of a shard's volume; null for any other volume. */
export function indexOfShardVolume(name: string): number | null {
  const index = /^wa-auth\[(\d+)\]$/.exec(name)?.[1];
  return index === undefined ? null : Number(index);
}

export const listVolumes = (nomadAddr: string): Promise<Volume[]> =>
  createNomad(nomadAddr)<Volume[]>("GET", "/v1/volumes?type=host");

/** Volumes by name, with the file in nomad/volumes that describes each. */
export type VolumeFiles = ReadonlyMap<string, string>;

export const dataVolumes: VolumeFiles = new Map(
  ["postgres-data", "postgres-replica-data", "redis-data", "simulator-data", "media"].map((name) => [
    name,
    `${name}.volume.hcl`,
  ]),
);

export const shardVolumes = (shards: number): VolumeFiles =>
  new Map(Array.from({ length: shards }, (_, index) => [shardVolume(index), "wa-auth.volume.hcl"]));

/** Makes the volumes that are missing and returns their names when all are ready. */
export async function ensureVolumes(nomadAddr: string, files: VolumeFiles): Promise<string[]> {
  const existing = new Set((await listVolumes(nomadAddr)).map(({ Name }) => Name));
  const missing = [...files.keys()].filter((name) => !existing.has(name));
  await Promise.all(missing.map((name) => createVolume(nomadAddr, name, files.get(name)!)));
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const ready = new Set(
      (await listVolumes(nomadAddr)).filter(({ State }) => State === "ready").map(({ Name }) => Name),
    );
    const waiting = [...files.keys()].filter((name) => !ready.has(name));
    if (waiting.length === 0) break;
    if (performance.now() > deadline)
      throw new Error(`volumes not ready after ${READY_WITHIN_MS / 1000} s: ${waiting.join(", ")}`);
    await sleep(300);
  }
  return missing;
}

/** Deletes a volume with all that is in it; no allocation may be using it. */
export async function deleteVolume(nomadAddr: string, { ID, Name }: Volume): Promise<void> {
  await runNomad(nomadAddr, ["volume", "delete", "-type=host", ID], `volume ${Name} could not be deleted`);
}

async function createVolume(nomadAddr: string, name: string, file: string): Promise<void> {
  const specification = (await Bun.file(join(root, "nomad/volumes", file)).text()).replace(shardVolume(0), name);
  await runNomad(nomadAddr, ["volume", "create", "-detach", "-"], `volume ${name} could not be made`, specification);
}

async function runNomad(nomadAddr: string, args: string[], failure: string, input = ""): Promise<void> {
  const child = Bun.spawn(["nomad", ...args], {
    env: { ...process.env, NOMAD_ADDR: nomadAddr },
    stdin: new Blob([input]),
    stdout: "ignore",
    stderr: "pipe",
  });
  const [errors, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${failure}: ${errors.trim()}`);
}
