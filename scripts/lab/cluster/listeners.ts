import { inNamespace } from "./network.ts";
import type { ClusterNode } from "./layout.ts";

/** A socket that others than its own node reach. */
export type Listener = { protocol: "tcp" | "udp"; port: number };

/** Reads what listens on a node beyond loopback: the kernel's list, which no port scan sees in full. */
export async function listenersOf({ namespace }: Pick<ClusterNode, "namespace">): Promise<Listener[]> {
  return parseListeners(await inNamespace(namespace, "ss", "-Hltun"));
}

/** Parses `ss -Hltun`: the protocol is the first column, the address with the port the fifth. */
export function parseListeners(text: string): Listener[] {
  const found = text.split("\n").flatMap((line) => {
    const [protocol, , , , local = ""] = line.trim().split(/\s+/);
    const [, address, port] = /^(.*):(\d+)$/.exec(local) ?? [];
    if (address === undefined || isLoopback(address)) return [];
    return [{ protocol: protocol as Listener["protocol"], port: Number(port) }];
  });
  const unique = new Map(found.map((one) => [`${one.port}/${one.protocol}`, one]));
  return [...unique.values()].toSorted((a, b) => a.port - b.port || a.protocol.localeCompare(b.protocol));
}

const isLoopback = (address: string) => address.startsWith("127.") || address === "[::1]" || address.endsWith("%lo");
