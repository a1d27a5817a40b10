import { runProgram } from "../../stack/program.ts";

/*
 * RFC 2544 reserves 198.18.0.0/15 for tests of network devices, and no provider routes it. Every cluster takes one
 * network of 256 addresses there that overlaps nothing on this machine.
 */

/** A network in CIDR notation: its first address as a number, and how many there are. */
type Range = { first: number; size: number };

const addressSpace = ["198.18", "198.19"].flatMap((two) =>
  Array.from({ length: 256 }, (_, third) => `${two}.${third}`),
);

/** Parses `10.0.0.0/8`, or `10.0.0.1` as one address; null for anything else, such as "default". */
export function rangeOf(cidr: string): Range | null {
  const [, a, b, c, d, bits = "32"] = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(cidr) ?? [];
  if (a === undefined) return null;
  const address = [a, b, c, d].reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const size = 2 ** (32 - Number(bits));
  return { first: address - (address % size), size };
}

const overlap = (one: Range, other: Range) =>
  one.first < other.first + other.size && other.first < one.first + one.size;

/** The networks of `taken` that a network of 256 addresses overlaps. */
export function collisionsOf(network: string, taken: readonly string[]): string[] {
  const own = rangeOf(`${network}.0/24`)!;
  return taken.filter((cidr) => {
    const range = rangeOf(cidr);
    return range !== null && overlap(own, range);
  });
}

/**
 * A network that overlaps none of `taken`: the asked one, or the first that is free.
 * @throws Error that names what is in the way.
 */
export function chooseNetwork(taken: readonly string[], asked?: string): string {
  const candidates = asked === undefined ? addressSpace : [asked];
  const free = candidates.find((network) => collisionsOf(network, taken).length === 0);
  if (free !== undefined) return free;
  const blocked = collisionsOf(candidates[0]!, taken).join(", ");
  throw new Error(
    asked === undefined
      ? `No network of 198.18.0.0/15 is free: this machine uses ${blocked} already.`
      : `The network ${asked}.0/24 overlaps ${blocked} on this machine: choose another, or none.`,
  );
}

type Address = { addr_info: { family: string; local: string; prefixlen: number }[] };
type Route = { dst: string };

/** The networks of this machine's interfaces and routes. */
export async function networksInUse(): Promise<string[]> {
  const [addresses, routes] = await Promise.all([
    ip<Address>(["-4", "addr", "show"]),
    ip<Route>(["-4", "route", "show", "table", "all"]),
  ]);
  return [
    ...addresses.flatMap(({ addr_info }) => addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`)),
    ...routes.map(({ dst }) => dst),
  ];
}

async function ip<T>(args: readonly string[]): Promise<T[]> {
  const { code, stdout, stderr } = await runProgram(["ip", "-json", ...args], { cwd: "/" });
  if (code !== 0) throw new Error(`ip ${args.join(" ")} failed: ${stderr.trim()}`);
  return JSON.parse(stdout || "[]") as T[];
}
