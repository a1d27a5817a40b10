import { inNamespace } from "./network.ts";
import type { ClusterNode } from "./layout.ts";

/*
 * Cuts are silent, as a broken cable is. The neighbour table of a node names a hardware address that no interface has,
 * so that packets to one peer vanish. A missing route would refuse connections at once, which no cut does.
 */
const nowhere = "02:00:00:00:00:99";

/** True while packets from a node to `peer` vanish. */
export type Cut = { from: string; to: string };

/** Drops the packets of one node to another. */
export async function cutOneWay(from: ClusterNode, to: ClusterNode): Promise<void> {
  const entry = [to.address, "lladdr", nowhere, "nud", "permanent", "dev", "eth0"];
  await inNamespace(from.namespace, "ip", "neigh", "replace", ...entry);
}

type Neighbour = { dst: string; lladdr?: string };

/** The cuts between these nodes. */
export async function cutsBetween(nodes: readonly ClusterNode[]): Promise<Cut[]> {
  const all = await Promise.all(
    nodes.map(async (from) => {
      const shown = await inNamespace(from.namespace, "ip", "-json", "-4", "neigh", "show", "dev", "eth0");
      const entries = JSON.parse(shown || "[]") as Neighbour[];
      return nodes
        .filter(({ address }) => entries.some(({ dst, lladdr }) => dst === address && lladdr === nowhere))
        .map((to) => ({ from: from.name, to: to.name }));
    }),
  );
  return all.flat();
}

/** Ends every cut; returns those that there were. */
export async function heal(nodes: readonly ClusterNode[]): Promise<Cut[]> {
  const cuts = await cutsBetween(nodes);
  for (const { from, to } of cuts) {
    const source = nodes.find(({ name }) => name === from)!;
    const target = nodes.find(({ name }) => name === to)!;
    await inNamespace(source.namespace, "ip", "neigh", "delete", target.address, "dev", "eth0");
  }
  return cuts;
}
