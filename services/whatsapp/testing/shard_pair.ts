import { afterAll, beforeAll } from "bun:test";
import { rmSync } from "node:fs";
import { createShardMoves } from "../../../lib/contracts/shard/index.ts";
import type { MoveOrder, ShardMoves } from "../../../lib/contracts/shard/index.ts";
import { newKeys, newVolume, startShard, startSimulator, token } from "./shard_under_test.ts";
import type { InProcess, Simulator } from "./shard_under_test.ts";

type Side = {
  volume: string;
  shard: InProcess;
  start: () => InProcess;
  server: Bun.Server<undefined>;
  at: { shard: number; url: string };
};

/** Two shards with keys of their own that can be restarted, and a mover's client. */
function createPair(simulator: Simulator, volumes: string[]) {
  const side = (number: number): Side => {
    const keys = newKeys();
    const volume = newVolume();
    volumes.push(volume);
    const start = () => startShard({ simulator, volume, keys, shard: number });
    const running = { shard: start() };
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => running.shard.fetch(request) });
    return Object.assign(running, {
      volume,
      start,
      server,
      at: { shard: number, url: `http://127.0.0.1:${server.port}` },
    });
  };
  const sides: [Side, Side] = [side(1), side(2)];
  const [source, target] = sides;
  return {
    source,
    target,
    moves: createShardMoves({ token }),
    restart: async (side: Side) => {
      await side.shard.stop();
      side.shard = side.start();
    },
    close: async () => {
      for (const { shard, server } of sides) {
        await shard.stop();
        await server.stop(true);
      }
    },
  };
}

/** A simulator for the tests of a file, and pairs of shards whose volumes are removed after them. */
export function useShardPairs() {
  let simulator: Simulator;
  const volumes: string[] = [];
  beforeAll(() => {
    simulator = startSimulator();
  });
  afterAll(async () => {
    await simulator.stop();
    for (const volume of volumes) rmSync(volume, { recursive: true, force: true });
  });
  return { simulator: () => simulator, createPair: () => createPair(simulator, volumes) };
}

/** Transfers a bundle as the mover does. */
export async function carry(
  moves: ShardMoves,
  source: Side,
  target: Side,
  business: string,
  order: MoveOrder,
): Promise<void> {
  const key = await moves.key(target.at, business, order);
  await moves.take(target.at, business, order, await moves.bundle(source.at, business, order, key));
}
