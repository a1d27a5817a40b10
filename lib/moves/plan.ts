import type { Resident } from "../db/index.ts";

export type PlannedMove = { business_id: string; from_shard: number; to_shard: number };

export type PlanOptions = {
  /** Shards that businesses may live on, by number. */
  shards: readonly number[];
  /** Shards that every business leaves; their load is not compared. */
  drain?: readonly number[];
  /** The node of a shard; all shards are on one node by default. */
  nodeOf?: (shard: number) => string;
  /** Most sessions on a shard that gets one by a move. */
  maxSessions?: number;
  /** Most moves to plan. */
  max?: number;
};

/**
 * Plans moves of businesses between shards. Businesses on a draining or missing shard go to the shard with the fewest
 * sessions on the node with the fewest for each of its shards. Without any, sessions are moved until no move makes two
 * nodes more even, by sessions for each shard, and then until no shard has two more than another shard of its node. An
 * unpaired business costs a shard nothing and moves only off a draining shard. Pure and deterministic: a business that
 * is being moved counts at its target, so that an interrupted plan continues.
 */
export function planMoves(
  residents: readonly Resident[],
  {
    shards,
    drain = [],
    nodeOf = () => "",
    maxSessions = Number.POSITIVE_INFINITY,
    max = Number.POSITIVE_INFINITY,
  }: PlanOptions,
): PlannedMove[] {
  const targets = shards.filter((shard) => !drain.includes(shard)).toSorted((a, b) => a - b);
  const load = new Load(targets, nodeOf, maxSessions);
  for (const { shard, paired } of residents) if (paired) load.add(shard, 1);

  const homeless = residents.filter(
    ({ shard, moving }) => !moving && (drain.includes(shard) || (drain.length === 0 && !load.has(shard))),
  );
  const planned: PlannedMove[] = [];
  for (const { business_id, shard, paired } of homeless) {
    if (planned.length >= max) return planned;
    const to = load.least(targets, { mustHaveRoom: paired });
    if (to === undefined) continue;
    if (paired) load.add(to, 1);
    planned.push({ business_id, from_shard: shard, to_shard: to });
  }
  if (drain.length > 0) return planned;

  // Those that have just moved come last: each move silences a business for about a second.
  const movable = Map.groupBy(
    residents.filter(({ paired, moving }) => paired && !moving).toSorted((a, b) => +b.just_moved - +a.just_moved),
    ({ shard }) => shard,
  );
  while (planned.length < max) {
    const pair = load.imbalances().find(({ from }) => (movable.get(from)?.length ?? 0) > 0);
    if (pair === undefined) break;
    const { from, to } = pair;
    load.add(from, -1);
    load.add(to, 1);
    planned.push({ business_id: movable.get(from)!.pop()!.business_id, from_shard: from, to_shard: to });
  }
  return planned;
}

/** Sessions of shards, and of the nodes that they are on. */
class Load {
  readonly #shards: Map<number, number>;
  /** The shards of each node. */
  readonly #members: Map<string, number[]>;
  readonly #nodeOf: (shard: number) => string;
  readonly #maxSessions: number;
  readonly #nodes: Map<string, number>;

  constructor(shards: readonly number[], nodeOf: (shard: number) => string, maxSessions: number) {
    const node = new Map(shards.map((shard) => [shard, nodeOf(shard)]));
    this.#nodeOf = (shard) => node.get(shard)!;
    this.#shards = new Map(shards.map((shard) => [shard, 0]));
    this.#members = Map.groupBy(shards, this.#nodeOf);
    this.#nodes = new Map([...this.#members.keys()].map((name) => [name, 0]));
    this.#maxSessions = maxSessions;
  }

  has(shard: number): boolean {
    return this.#shards.has(shard);
  }

  /** Ignores a shard that no business may live on. */
  add(shard: number, sessions: number): void {
    const before = this.#shards.get(shard);
    if (before === undefined) return;
    this.#shards.set(shard, before + sessions);
    const node = this.#nodeOf(shard);
    this.#nodes.set(node, this.#nodes.get(node)! + sessions);
  }

  /** The shard with the fewest sessions on the node with the fewest; undefined if none qualifies. */
  least(among: readonly number[], { mustHaveRoom }: { mustHaveRoom: boolean }): number | undefined {
    let best: number | undefined;
    for (const shard of among) {
      if (mustHaveRoom && this.#shards.get(shard)! >= this.#maxSessions) continue;
      if (best === undefined || this.#compare(shard, best) < 0) best = shard;
    }
    return best;
  }

  /** Pairs of shards between which a session should move: first of different nodes, then of the same one. */
  imbalances(): { from: number; to: number }[] {
    const nodes = [...this.#nodes.keys()].toSorted((a, b) => this.#share(a) - this.#share(b));
    const [fewest, most] = [nodes[0], nodes.at(-1)];
    if (fewest === undefined || most === undefined) return [];
    const pairs: { from: number; to: number }[] = [];
    const consider = (from: readonly number[], to: readonly number[]) => {
      const target = this.least(to, { mustHaveRoom: true });
      if (target !== undefined) pairs.push({ from: this.#fullest(from), to: target });
    };
    // Strictly less even before than after the move, so that no plan moves a session back.
    if (this.#share(most) > this.#share(fewest, 1)) consider(this.#members.get(most)!, this.#members.get(fewest)!);
    for (const members of this.#members.values()) {
      const least = this.least(members, { mustHaveRoom: false })!;
      if (this.#shards.get(this.#fullest(members))! - this.#shards.get(least)! > 1) consider(members, members);
    }
    return pairs;
  }

  /** Sessions of a node for each of its shards, with `more` sessions on it: each shard has the same memory. */
  #share(node: string, more = 0): number {
    return (this.#nodes.get(node)! + more) / this.#members.get(node)!.length;
  }

  #fullest(members: readonly number[]): number {
    return members.reduce((best, shard) => (this.#shards.get(shard)! > this.#shards.get(best)! ? shard : best));
  }

  #compare(a: number, b: number): number {
    return this.#share(this.#nodeOf(a)) - this.#share(this.#nodeOf(b)) || this.#shards.get(a)! - this.#shards.get(b)!;
  }
}
