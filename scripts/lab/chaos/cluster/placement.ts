/** A running allocation: its job with its group, and its node. */
export type Placed = { group: string; node: string };

/**
 * Lists what a placement on `nodes` gets wrong: a group with two allocations more on one node than on another, although
 * each node takes all groups.
 */
export function placementFaults(placed: readonly Placed[], nodes: readonly string[]): string[] {
  const groups = Map.groupBy(placed, ({ group }) => group);
  return [...groups].flatMap(([group, members]) => {
    const counts = nodes.map((name) => ({ name, count: members.filter(({ node }) => node === name).length }));
    const most = counts.reduce((a, b) => (b.count > a.count ? b : a));
    const least = counts.reduce((a, b) => (b.count < a.count ? b : a));
    return most.count - least.count > 1
      ? [`${group}: ${most.count} on ${most.name}, ${least.count} on ${least.name}`]
      : [];
  });
}
