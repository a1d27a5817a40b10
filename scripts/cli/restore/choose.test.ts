import { describe, expect, test } from "bun:test";
import { Room } from "../scale/nodes/room.ts";
import { chooseWithRoom } from "./choose.ts";

const nodes = ["a", "b"].map((id) => ({ id, name: `client-${id}`, freeBytes: 2 ** 34 }));
const need = { cpuMhz: 250, memoryMb: 384 };
const roomOf = (a: number, b: number) =>
  new Room([
    { id: "a", free: { cpuMhz: 1_000, memoryMb: a } },
    { id: "b", free: { cpuMhz: 1_000, memoryMb: b } },
  ]);

describe("chooseWithRoom", () => {
  test("passes over nodes without room", () => {
    const { chosen, refusals } = chooseWithRoom([1, 2, 3], { nodes, volumes: [], room: roomOf(383, 800), need });
    expect([...chosen].map(([shard, { id }]) => [shard, id])).toEqual([
      [1, "b"],
      [2, "b"],
    ]);
    expect(refusals).toEqual([expect.stringContaining("No node can take shard 3")]);
  });

  test("passes over nodes with a volume of the shard", () => {
    const volumes = [{ name: "wa-auth[0]", nodeId: "a" }];
    const { chosen } = chooseWithRoom([1], { nodes, volumes, room: roomOf(800, 800), need });
    expect(chosen.get(1)?.id).toBe("b");
  });
});
