import type { ConsulClient } from "../../../../lib/consul/client.ts";
import { shardService } from "../../../../lib/routing/index.ts";
import type { Router } from "../../../../lib/routing/index.ts";
import { until } from "../../../../lib/testing/until.ts";

/** A number that the fleet does not use. */
const shard = 9_001;

/** Listens on a port of its own, says which, and lives until it is killed. */
const victim = 'console.log(Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") }).port)';

/**
 * Milliseconds from the SIGKILL of a shard's process until the router reports the shard unavailable, for each round.
 * The supervisor deregisters the shard when its process has ended, as Nomad does.
 */
export async function timeDeaths(consul: ConsulClient, router: Router, rounds: number): Promise<number[]> {
  const known = () => router.shards().some((address) => address.shard === shard);
  const took: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const child = Bun.spawn([process.execPath, "-e", victim], { stdin: "ignore", stdout: "pipe" });
    const port = Number(await firstLine(child.stdout));
    const id = `bench-victim-${round}`;
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

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk);
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0]!;
}
