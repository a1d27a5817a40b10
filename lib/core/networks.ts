import { BlockList, isIP } from "node:net";

export type Networks = { includes(address: string): boolean };

/** Parses networks in CIDR notation, `10.0.0.0/8` or `fd00::/8`. Throws TypeError on anything else. */
export function parseNetworks(networks: readonly string[]): Networks {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits = ""] = network.split("/");
    const family = isIP(address);
    const length = Number(bits);
    if (family === 0 || !/^\d{1,3}$/.test(bits) || length > (family === 4 ? 32 : 128)) {
      throw new TypeError(`"${network}" is not a network in CIDR notation, such as 10.0.0.0/8`);
    }
    list.addSubnet(address, length, family === 4 ? "ipv4" : "ipv6");
  }
  return {
    includes: (address) => {
      const plain = unmapped(address);
      const family = isIP(plain);
      return family !== 0 && list.check(plain, family === 4 ? "ipv4" : "ipv6");
    },
  };
}

/** Converts an IPv4-mapped IPv6 address (`::ffff:127.0.0.1`, as dual-stack sockets report it) to IPv4. */
function unmapped(address: string): string {
  return /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)?.[1] ?? address;
}

/**
 * Returns the key to rate-limit an address by: an IPv4 address itself, and of IPv6 the /64 prefix, which a provider
 * assigns to one household or machine. Undefined if the text is not an address.
 */
export function subscriberOf(address: string): string | undefined {
  const plain = unmapped(address);
  if (isIP(plain) === 4) return plain;
  if (isIP(plain) !== 6) return undefined;
  const [head = "", tail] = plain.split("%")[0]!.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups =
    tail === undefined
      ? before
      : [...before, ...Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0"), ...after];
  const prefix = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${prefix.join(":")}::/64`;
}
