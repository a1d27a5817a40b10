import { heapStats } from "bun:jsc";
import { createConsul } from "../../../lib/consul/client.ts";
import { createDirectory } from "../../../lib/routing/index.ts";
import type { SubscriberReport } from "./directory_subscribers.ts";

// A process of its own with the directory of a service: reports its memory and each change to its parent.

const [addr, count] = [process.argv[2]!, Number(process.argv[3])];

const used = () => {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
};
const report = (message: SubscriberReport) => process.send!(message);
/** Unix ms with fractions: the parent compares it with its own. */
const now = () => performance.timeOrigin + performance.now();

const stop = new AbortController();
process.on("disconnect", () => process.exit(0));
const consul = createConsul({ addr });
// Loads everything that any use of Consul loads before the measurement.
await consul.blockingGet("/v1/status/leader", { index: 0 });

const before = used();
let known = new Map<number, string>();
let complete = false;
createDirectory({
  consul,
  signal: stop.signal,
  onChange: (addresses) => {
    const at = now();
    const current = new Map([...addresses].map(([shard, { url }]) => [shard, url]));
    const shards = [...current].filter(([shard, url]) => known.get(shard) !== url);
    const gone = [...known.keys()].filter((shard) => !current.has(shard));
    known = current;
    report({ is: "changed", at, shards: [...shards, ...gone.map((shard): [number, null] => [shard, null])] });
    if (complete || known.size < count) return;
    complete = true;
    // After this turn, when the answer itself is garbage.
    setTimeout(() => report({ is: "complete", bytes: used() - before }), 100);
  },
});
