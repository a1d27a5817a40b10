import { chooseNodes } from "../../stack/placement.ts";
import type { PlacedVolume, VolumeNode } from "../../stack/placement.ts";
import { kindOfVolume, shardVolume } from "../../stack/volumes.ts";
import type { Resources, Room } from "../scale/nodes/room.ts";

type Candidates = { nodes: readonly VolumeNode[]; volumes: readonly PlacedVolume[]; room: Room; need: Resources };
type Choice = { chosen: Map<number, VolumeNode>; refusals: string[] };

/** Chooses a node with free memory and CPU for each shard, and none that has a volume of the shard. */
export function chooseWithRoom(shards: readonly number[], { nodes, volumes, room, need }: Candidates): Choice {
  const existing = [...volumes];
  const choice: Choice = { chosen: new Map(), refusals: [] };
  for (const shard of shards) {
    const name = shardVolume(shard - 1);
    const usable = nodes.filter(
      ({ id }) => room.has(id, need) && !existing.some((volume) => volume.name === name && volume.nodeId === id),
    );
    if (usable.length === 0) {
      choice.refusals.push(
        `No node can take shard ${shard}: of ${nodes.map((node) => node.name).join(", ")} none has ` +
          `${need.memoryMb} MB and ${need.cpuMhz} MHz free and no volume of the shard.`,
      );
      continue;
    }
    const node = chooseNodes([name], usable, existing, kindOfVolume).get(name)!;
    existing.push({ name, nodeId: node.id });
    room.take(node.id, need);
    choice.chosen.set(shard, node);
  }
  return choice;
}
