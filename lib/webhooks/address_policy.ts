import { lookup as systemLookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";

/*
 * A webhook's address is given by a stranger and called from inside our network. So it is the address that is
 * judged, not the name: a name is resolved once, every address it has is checked, and the connection is made to one
 * of those very addresses. A name that resolves differently the next moment gains nothing by it.
 */

/** Networks of IPv4 that are not the public internet (IANA's special-purpose registry, RFC 6890 and its updates). */
const closedV4: readonly [network: string, bits: number][] = [
  ["0.0.0.0", 8], // this network
  ["10.0.0.0", 8], // private
  ["100.64.0.0", 10], // shared by a carrier's customers (CGNAT)
  ["127.0.0.0", 8], // loopback
  ["169.254.0.0", 16], // link-local; clouds serve credentials here
  ["172.16.0.0", 12], // private
  ["192.0.0.0", 24], // protocol assignments
  ["192.0.2.0", 24], // documentation
  ["192.88.99.0", 24], // 6to4 relays
  ["192.168.0.0", 16], // private
  ["198.18.0.0", 15], // benchmarks
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved, and broadcast
];

/**
 * Only global unicast IPv6 is the public internet, except its ranges for other purposes. Ranges that embed an IPv4
 * address (mapped, NAT64, 6to4, Teredo) lie outside or are listed: no public endpoint needs them.
 */
const openV6: readonly [string, number] = ["2000::", 3];
const closedV6: readonly [network: string, bits: number][] = [
  ["2001::", 23], // protocol assignments; Teredo among them
  ["2001:db8::", 32], // documentation
  ["2002::", 16], // 6to4
  ["3fff::", 20], // documentation
];

const closed = new BlockList();
for (const [network, bits] of closedV4) closed.addSubnet(network, bits, "ipv4");
for (const [network, bits] of closedV6) closed.addSubnet(network, bits, "ipv6");
const unicast = new BlockList();
unicast.addSubnet(...openV6, "ipv6");

/** Is this address one of the public internet? False for what is no address at all. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !closed.check(address, "ipv4");
    case 6:
      return !address.includes("%") && unicast.check(address, "ipv6") && !closed.check(address, "ipv6");
    default:
      return false;
  }
}

/** An address that may not be called, or a name that has none. The message is fit for the endpoint's owner. */
export class AddressRefused extends Error {}

export type Address = { address: string; family: number };
export type Lookup = (hostname: string) => Promise<Address[]>;

export type AddressPolicy = {
  /** The reason why this URL can never be called; undefined if that depends on DNS. Sends no query. */
  faultOf(url: string): string | undefined;
  /** An address of the URL's host that may be called now. Throws AddressRefused. */
  resolve(url: URL): Promise<string>;
};

export type AddressPolicyOptions = {
  /** For development: private networks and plain http may be called. */
  allowPrivate?: boolean;
  lookup?: Lookup;
};

export function createAddressPolicy({
  allowPrivate = false,
  lookup = systemAddresses,
}: AddressPolicyOptions = {}): AddressPolicy {
  const allowed = (address: string) => allowPrivate || isPublicAddress(address);
  return {
    faultOf: (text) => {
      if (!URL.canParse(text)) return "must be an absolute URL";
      const url = new URL(text);
      if (url.protocol !== "https:" && !(allowPrivate && url.protocol === "http:")) return "must begin with https://";
      if (url.username !== "" || url.password !== "") return "must not contain a user name or password";
      if (url.hash !== "") return "must not contain a fragment (#…)";
      const literal = addressIn(url);
      if (literal !== undefined && !allowed(literal)) return "must not point into a private or reserved network";
      return allowPrivate || literal !== undefined ? undefined : nameFault(url.hostname);
    },
    resolve: async (url) => {
      const literal = addressIn(url);
      // Judged again: the URL may be older than this rule, and a resolver may invent an address for such a name.
      if (!allowPrivate && literal === undefined && nameFault(url.hostname) !== undefined) {
        throw new AddressRefused(`The name ${url.hostname} is not one of the public internet.`);
      }
      const found =
        literal === undefined
          ? await lookup(url.hostname).catch(() => [])
          : [{ address: literal, family: isIP(literal) }];
      const [first] = found;
      if (first === undefined) throw new AddressRefused(`The name ${url.hostname} has no address.`);
      // One forbidden address among others is no accident: all are refused, not only that one.
      if (!found.every(({ address }) => allowed(address))) {
        throw new AddressRefused(`The name ${url.hostname} points into a private or reserved network.`);
      }
      // Many hosts cannot be reached over IPv6 from where we run; all can over IPv4.
      return (found.find(({ family }) => family === 4) ?? first).address;
    },
  };
}

/**
 * Top-level names that never lead to the public internet: RFC 6761, 6762, 8375 and 9476, ICANN's "internal", and what
 * routers and /etc/hosts use by custom.
 */
const privateNames = new Set(
  "localhost localdomain local internal intranet private corp home lan arpa test invalid onion alt".split(" "),
);

/** The fault of a name, whatever it resolves to; undefined for a name of the public internet. */
function nameFault(hostname: string): string | undefined {
  const labels = hostname.replace(/\.$/, "").split(".");
  if (labels.includes("")) return "must not contain an empty label";
  if (labels.length === 1 || privateNames.has(labels.at(-1)!)) {
    return labels.at(-1) === "localhost" ? "must not point to this machine" : "must name a host of the public internet";
  }
  return undefined;
}

/** The address in a URL without a name. The URL parser has normalised every notation. */
function addressIn({ hostname }: URL): string | undefined {
  const bare = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
}

const systemAddresses: Lookup = (hostname) => systemLookup(hostname, { all: true });
