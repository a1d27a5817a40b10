import { host, tryHost } from "./host.ts";
import { linkPrefix, namePrefix } from "./layout.ts";
import type { ClusterNode, Layout } from "./layout.ts";

/*
 * The network of a cluster: a bridge with an address of the machine's, and for each node a namespace whose eth0 is on
 * the bridge. Namespaces have no default route: no packet of a node leaves the machine.
 */

export async function createNetwork({ bridge, host: address, nodes }: Layout): Promise<void> {
  await host("ip", "link", "add", bridge, "type", "bridge");
  await host("ip", "addr", "add", `${address}/24`, "dev", bridge);
  await host("ip", "link", "set", bridge, "up");
  for (const node of nodes) await attach(bridge, node);
}

async function attach(bridge: string, { namespace, link, address }: ClusterNode): Promise<void> {
  await host("ip", "netns", "add", namespace);
  await host("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace);
  await host("ip", "link", "set", link, "master", bridge, "up");
  await inNamespace(namespace, "ip", "addr", "add", `${address}/24`, "dev", "eth0");
  await inNamespace(namespace, "ip", "link", "set", "eth0", "up");
  await inNamespace(namespace, "ip", "link", "set", "lo", "up");
}

/** Runs a program in a network namespace. `ip netns exec` would hide the cgroups. */
export const inNamespace = (namespace: string, ...command: string[]): Promise<string> =>
  host("nsenter", `--net=/run/netns/${namespace}`, ...command);

type Named = { ifname?: string; name?: string };

/** Names of this cluster's links and namespaces that exist, also after an interrupted start. */
export async function findNetwork(name: string): Promise<{ links: string[]; namespaces: string[] }> {
  const links = JSON.parse((await tryHost("ip", "-json", "link", "show")) || "[]") as Named[];
  const namespaces = JSON.parse((await tryHost("ip", "-json", "netns", "list")) || "[]") as Named[];
  const link = linkPrefix(name);
  const own = new RegExp(`^${namePrefix(name)}-(server|client)-\\d+$`);
  return {
    links: links.flatMap(({ ifname = "" }) => (ifname === link || ifname.startsWith(`${link}-`) ? [ifname] : [])),
    namespaces: namespaces.flatMap(({ name: found = "" }) => (own.test(found) ? [found] : [])),
  };
}

/** Removes the links and namespaces of a cluster. Its processes must have ended. */
export async function removeNetwork(name: string): Promise<void> {
  const { links, namespaces } = await findNetwork(name);
  // A veth vanishes with the namespace of its other end, so a link may be gone by now.
  for (const namespace of namespaces) await host("ip", "netns", "delete", namespace);
  for (const link of links) await tryHost("ip", "link", "delete", link);
  const left = await findNetwork(name);
  if (left.links.length + left.namespaces.length > 0)
    throw new Error(`these could not be removed: ${[...left.links, ...left.namespaces].join(", ")}`);
}
