import { Resolver } from "node:dns/promises";
import { hashShard, shardService } from "../../../../lib/routing/index.ts";
import type { Assignable, Router } from "../../../../lib/routing/index.ts";
import { timeEach, timeEachAsync } from "./timing.ts";
import type { Timing } from "./timing.ts";

const calls = 200_000;
const lookups = 500;

/** `locate` over businesses whose shard is stored, or of which none is. */
export function timeLocate(router: Router, businesses: readonly Assignable[]): Timing {
  return timeEach(calls, (n) => router.locate(businesses[n % businesses.length]!));
}

/** Without a directory, a caller queries Consul's HTTP API for the healthy instance of the shard each time. */
export function timeHttpLookup(
  consulUrl: string,
  businesses: readonly Assignable[],
  numShards: number,
): Promise<Timing> {
  return timeEachAsync(lookups, async (n) => {
    const shard = hashShard(businessAt(businesses, n).id, numShards);
    const filter = encodeURIComponent(`Service.Meta.shard == "${shard}"`);
    const answer = await fetch(`${consulUrl}/v1/health/service/${shardService}?passing=1&filter=${filter}`);
    const [instance] = (await answer.json()) as { Service: { Address: string; Port: number } }[];
    return `http://${instance!.Service.Address}:${instance!.Service.Port}`;
  });
}

/** The same query by DNS: SRV records of the instances with the shard's tag. */
export function timeDnsLookup(dnsPort: number, businesses: readonly Assignable[], numShards: number): Promise<Timing> {
  const resolver = new Resolver();
  resolver.setServers([`127.0.0.1:${dnsPort}`]);
  return timeEachAsync(lookups, async (n) => {
    const shard = hashShard(businessAt(businesses, n).id, numShards);
    const [record] = await resolver.resolveSrv(`shard-${shard}.${shardService}.service.consul`);
    return `http://${record!.name}:${record!.port}`;
  });
}

const businessAt = (businesses: readonly Assignable[], n: number) => businesses[Math.abs(n) % businesses.length]!;
