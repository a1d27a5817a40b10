import { AppError } from "../../lib/core/errors.ts";
import type { Nomad } from "./nomad.ts";

/*
 * A dynamic host volume stays on the node where it was created, and so does what mounts it. Nomad would put every
 * volume of a new name on the same node, so the creator chooses.
 */

/** A node that may get a volume. */
export type VolumeNode = {
  id: string;
  name: string;
  freeBytes: number;
};

/** Less is noise: nodes are measured one after the other, while they work. */
const gigabytes = ({ freeBytes }: VolumeNode): number => Math.floor(freeBytes / 2 ** 30);

/** A volume that exists. */
export type PlacedVolume = { name: string; nodeId: string };

/**
 * Chooses a node for each of the `missing` volumes: the one with the fewest volumes of the same kind; of several, the
 * one with the most free disk, by whole gigabytes, and then the first by name. Throws if there is no node.
 *
 * @param kindOf volumes of one kind are kept apart, such as those of the shards
 * @example
 * chooseNodes(["wa-auth[3]"], nodes, volumes, kindOfVolume).get("wa-auth[3]")?.name // "client-2"
 */
export function chooseNodes(
  missing: readonly string[],
  nodes: readonly VolumeNode[],
  existing: readonly PlacedVolume[],
  kindOf: (name: string) => string,
): Map<string, VolumeNode> {
  const placed = existing.map(({ name, nodeId }) => ({ kind: kindOf(name), nodeId }));
  const chosen = new Map<string, VolumeNode>();
  for (const name of missing) {
    const kind = kindOf(name);
    const load = (node: VolumeNode) => placed.filter((one) => one.kind === kind && one.nodeId === node.id).length;
    const [best] = nodes.toSorted(
      (a, b) => load(a) - load(b) || gigabytes(b) - gigabytes(a) || a.name.localeCompare(b.name),
    );
    if (best === undefined) throw new AppError("unavailable", `No node can hold the volume ${name}.`);
    placed.push({ kind, nodeId: best.id });
    chosen.set(name, best);
  }
  return chosen;
}

type NodeStub = { ID: string; Name: string; Status: string; SchedulingEligibility: string; NodePool: string };
type NodeDetails = { Attributes: Record<string, string> };
type NodeStats = { AllocDirStats?: { Available: number } | null };

/** The plugin that makes a folder for each volume (nomad/volumes/volume.hcl). */
const plugin = "plugins.host_volume.mkdir.version";

/** True if a job of the pool may run on a node; the pool "all" has every node. */
const isInPool = (node: Pick<NodeStub, "NodePool">, pool: string) => pool === "all" || node.NodePool === pool;

/**
 * The nodes of a pool that may get a volume: ready, eligible and able to make one. `also`: the id of a node that is
 * about to become eligible.
 * @throws AppError that says what the nodes lack if there is none.
 */
export async function readVolumeNodes(nomad: Nomad, pool: string, also?: string): Promise<VolumeNode[]> {
  const all = await nomad<NodeStub[]>("GET", "/v1/nodes");
  const inPool = all.filter((node) => isInPool(node, pool));
  const ready = inPool.filter(
    ({ ID, Status, SchedulingEligibility }) =>
      Status === "ready" && (SchedulingEligibility === "eligible" || ID === also),
  );
  const found = await Promise.all(
    ready.map(async ({ ID, Name }) => {
      const { Attributes } = await nomad<NodeDetails>("GET", `/v1/node/${ID}`);
      if (!(plugin in Attributes)) return null;
      return { id: ID, name: Name, freeBytes: await freeDisk(nomad, ID, Attributes) };
    }),
  );
  const nodes = found.filter((node) => node !== null);
  if (nodes.length > 0) return nodes;
  throw new AppError(
    "unavailable",
    `No node can hold a volume: of ${all.length} nodes ${inPool.length} are in the pool "${pool}", and ` +
      `${ready.length} of those are ready and eligible. See: nomad node status`,
  );
}

/** Bytes; as the node measures now, or else as it measured when its agent started. */
async function freeDisk(nomad: Nomad, id: string, attributes: Readonly<Record<string, string>>): Promise<number> {
  const stats = await nomad<NodeStats>("GET", `/v1/client/stats?node_id=${id}`).catch(() => null);
  return stats?.AllocDirStats?.Available ?? Number(attributes["unique.storage.bytesfree"] ?? 0);
}
