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
      throw new TypeError(`"${network}" is no network such as 10.0.0.0/8`);
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

/** An IPv4 address that a dual-stack socket shows as IPv6 (`::ffff:127.0.0.1`), as IPv4. */
export function unmapped(address: string): string {
  return /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)?.[1] ?? address;
}

/**
 * What to count an address by: IPv4 alone, and of IPv6 the /64, which one household or machine has whole. Undefined
 * for anything but an address.
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
  return `${groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`; // prettier-ignore
}
