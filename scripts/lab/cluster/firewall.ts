import { join } from "node:path";
import { root } from "../../stack/environment.ts";
import type { Listener } from "./listeners.ts";

/** A row of the table of ports in nomad/README.md. */
export type FirewallRow = { first: number; last: number; protocols: string[]; program: string; on: string[] };

const guide = join(root, "nomad/README.md");
const heading = "| port ";

/** Reads the table of ports in the production guide. */
export async function readFirewall(): Promise<FirewallRow[]> {
  return parseFirewall(await Bun.file(guide).text());
}

/** @throws Error if the text has no such table */
export function parseFirewall(markdown: string): FirewallRow[] {
  const lines = markdown.split("\n");
  const start = lines.findIndex((line) => line.startsWith(heading));
  if (start < 0) throw new Error("nomad/README.md has no table of ports");
  const rows: FirewallRow[] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith("|")) break;
    const [ports = "", protocols = "", program = "", on = ""] = line
      .split("|")
      .slice(1)
      .map((cell) => cell.trim());
    for (const range of ports.split(", ")) {
      const [first, last = first] = range.split("–").map(Number);
      rows.push({ first: first!, last: last!, protocols: protocols.split(", "), program, on: on.split(", ") });
    }
  }
  return rows;
}

/** The kinds of nodes that the table names. */
export type NodeKind = "servers" | "clients" | "edges";

/** Lists the ports of a node of these kinds that the table does not have, such as "9999/tcp". */
export function unexpectedListeners(
  firewall: readonly FirewallRow[],
  kinds: readonly NodeKind[],
  listeners: readonly Listener[],
): string[] {
  const isExpected = ({ port, protocol }: Listener) =>
    firewall.some(
      ({ first, last, protocols, on }) =>
        port >= first &&
        port <= last &&
        protocols.includes(protocol) &&
        on.some((kind) => kinds.includes(kind as NodeKind)),
    );
  return listeners.filter((one) => !isExpected(one)).map(({ port, protocol }) => `${port}/${protocol}`);
}
