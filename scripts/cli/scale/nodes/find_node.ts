import { ScaleFailure } from "../failure.ts";
import type { NodeNow } from "./cluster_now.ts";

/** A prefix of an id shorter than this is more likely a name. */
const shortestPrefix = 4;

/**
 * The node of a name, an id or the beginning of an id. Of several nodes of a name it is the ready one: the others are
 * its predecessors, which Nomad remembers for a day.
 * @throws ScaleFailure that lists the nodes if there is none, or several
 */
export function findNode<N extends Pick<NodeNow, "id" | "name" | "status">>(nodes: readonly N[], text: string): N {
  const named = nodes.filter(({ id, name }) => name === text || id === text);
  const ready = named.filter(({ status }) => status === "ready");
  const exact = ready.length === 1 ? ready : named;
  const found =
    exact.length > 0 || text.length < shortestPrefix ? exact : nodes.filter(({ id }) => id.startsWith(text));
  if (found.length === 1) return found[0]!;
  const list = (some: readonly N[]) => some.map(({ id, name }) => `${name} (${id.slice(0, 8)})`).join(", ");
  throw new ScaleFailure(
    found.length === 0
      ? `Nomad has no client "${text}"; it has ${list(nodes)}.`
      : `"${text}" is ambiguous: ${list(found)}. Give more of the id.`,
  );
}
