import { join } from "node:path";
import { sleep } from "../../lib/core/time.ts";
import { root } from "./environment.ts";
import { createNomad } from "./nomad.ts";
import { runProgram } from "./program.ts";

export type Volume = { ID: string; Name: string; State?: string };

/** A new volume is ready after about nine seconds, when the node has reported it. */
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

type VolumeForm = { size: string; access: string };

/** Volumes by name, with what fills nomad/volumes/volume.hcl for each. */
export type VolumeForms = ReadonlyMap<string, VolumeForm>;

/** One process owns it. */
const owned: VolumeForm = { size: "1GiB", access: "single-node-single-writer" };

export const dataVolumes: VolumeForms = new Map([
  ["postgres-data", owned],
  ["postgres-replica-data", owned],
  ["redis-data", owned],
  ["simulator-data", owned],
  // Files of messages and recordings of calls, sealed: every allocation of the API and of the workers writes here.
  ["media", { size: "10GiB", access: "single-node-multi-writer" }],
]);

/** A login takes about a megabyte. nomad/platform/wa-shards.nomad.hcl has the reason for the access mode. */
const shardForm: VolumeForm = { size: "1GiB", access: "single-node-writer" };

export const shardVolumes = (shards: number): VolumeForms =>
  new Map(Array.from({ length: shards }, (_, index) => [shardVolume(index), shardForm]));

/** Makes the volumes that are missing and returns their names when all are ready. */
export async function ensureVolumes(nomadAddr: string, forms: VolumeForms): Promise<string[]> {
  const existing = new Set((await listVolumes(nomadAddr)).map(({ Name }) => Name));
  const missing = [...forms.keys()].filter((name) => !existing.has(name));
  await Promise.all(missing.map((name) => createVolume(nomadAddr, name, forms.get(name)!)));
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const ready = new Set(
      (await listVolumes(nomadAddr)).filter(({ State }) => State === "ready").map(({ Name }) => Name),
    );
    const waiting = [...forms.keys()].filter((name) => !ready.has(name));
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

async function createVolume(nomadAddr: string, name: string, { size, access }: VolumeForm): Promise<void> {
  const template = await Bun.file(join(root, "nomad/volumes/volume.hcl")).text();
  const specification = template
    .replace('"NAME"', `"${name}"`)
    .replaceAll('"SIZE"', `"${size}"`)
    .replace('"ACCESS"', `"${access}"`);
  await runNomad(nomadAddr, ["volume", "create", "-detach", "-"], `volume ${name} could not be made`, specification);
}

async function runNomad(nomadAddr: string, args: string[], failure: string, stdin = ""): Promise<void> {
  const env = { ...process.env, NOMAD_ADDR: nomadAddr };
  const { code, stderr } = await runProgram(["nomad", ...args], { cwd: root, env, stdin });
  if (code !== 0) throw new Error(`${failure}: ${stderr.trim()}`);
}
