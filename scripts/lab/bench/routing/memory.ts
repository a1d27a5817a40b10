import { heapStats } from "bun:jsc";
import { createConsul } from "../../../../lib/consul/client.ts";
import { createRouter } from "../../../../lib/routing/index.ts";
import { until } from "../../../../lib/testing/until.ts";

// A process of its own: prints how many bytes its heap grew by when its router learned of so many shards.

const [addr, count] = [process.argv[2]!, Number(process.argv[3])];

const used = () => {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
};

const stop = new AbortController();
const consul = createConsul({ addr });
// Loads everything that any use of Consul loads before the measurement.
await consul.blockingGet("/v1/status/leader", { index: 0 });

const before = used();
const router = createRouter({ consul, numShards: 1, signal: stop.signal });
await router.ready;
await until(() => router.shards().length >= count, { what: `${count} shards in the directory` });
const after = used();
process.stdout.write(`${after - before}\n`);
stop.abort();
