import { join } from "node:path";
import type { ConsulClient } from "../../../../lib/consul/client.ts";
import { shardService } from "../../../../lib/routing/index.ts";
import type { Router } from "../../../../lib/routing/index.ts";
import { until } from "../../../../lib/testing/until.ts";
import { startAnswering } from "../../rig/light_shards.ts";

/** A number that the fleet does not use. */
const shard = 9_001;

/**
 * Milliseconds from the SIGKILL of a shard's process until the router reports the shard unavailable, for each round.
 * The supervisor deregisters the shard when its process has ended, as Nomad does.
 */
export async function timeDeaths(
  folder: string,
  consul: ConsulClient,
  router: Router,
  rounds: number,
): Promise<number[]> {
  const known = () => router.shards().some((address) => address.shard === shard);
  const took: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const id = `bench-victim-${round}`;
    const { port, ...child } = await startAnswering(join(folder, `${id}.log`));
    await consul.api.agent.service.register({
      id,
      name: shardService,
      address: "127.0.0.1",
      port,
      meta: { shard: `${shard}` },
    });
    await until(known, { what: "the directory to know the shard" });
    const supervisor = child.exited.then(() => consul.api.agent.service.deregister(id));
    const killedAt = performance.now();
    child.kill("SIGKILL");
    await until(() => !known(), { what: "the directory to know of the death", everyMs: 1 });
    took.push(performance.now() - killedAt);
    await supervisor;
  }
  return took;
}
