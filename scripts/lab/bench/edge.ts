import { until } from "../../../lib/testing/until.ts";
import { openEvents, openMedia, serveStreams, startInstance } from "../../testing/edge_streams.ts";
import type { EdgeStream } from "../../testing/edge_streams.ts";
import { send, startEdgeUnderTest } from "../../testing/edge_under_test.ts";
import { memoryOf } from "../../testing/edge_workers.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { quantile } from "../../cli/operator/table.ts";
import { labCommand, publish, say } from "../command.ts";
import { rounded } from "../figures.ts";
import { endOnSignals } from "../rig/child.ts";

const values = labCommand(
  "bench:edge",
  `Measure how soon the edge serves a change in Consul, and what a storm of changes costs.

The edge runs as its job runs it, with a Consul of its own and 20 event streams and 20 media streams
open. First each change replaces the only instance of the API, and counts from Consul's acceptance
until a new connection reaches the new instance. Then instances come and go as fast as Consul accepts,
while clients open further streams. No stream may end.`,
)
  .option("--changes <n>", "changes one after the other, and as many in the storm", wholeNumber(10, 1_000), 100)
  .parse()
  .opts();
const { changes } = values;
/** As long as 100 changes of a deploy take: an instance every 300 ms. */
const stormMs = 300 * changes;

endOnSignals();
const edge = await startEdgeUnderTest(serveStreams("first"), { asDeployed: true });
const streams: EdgeStream[] = [];
try {
  const openMore = async (count: number) => {
    const port = edge.httpsPort;
    const opened = Array.from({ length: count }, () => [openEvents(port), openMedia(port)]).flat();
    streams.push(...(await Promise.all(opened)));
  };
  const memory = async () => memoryOf(await edge.master());

  let current = edge.api.port!;
  /** Replaces the API's instance; returns the seconds until the edge serves the new one. */
  const replace = async (name: string): Promise<number> => {
    const former = current;
    const next = startInstance(name);
    await edge.register("prosaas-api", next.port!);
    await edge.deregister("prosaas-api", former);
    const began = performance.now();
    const served = async () => (await send(edge.httpsPort, "GET /v1/x HTTP/1.1\r\nHost: edge")).body === name;
    await until(served, { what: "the new instance", everyMs: 10 });
    current = next.port!;
    return (performance.now() - began) / 1000;
  };

  await openMore(20);
  const seconds: number[] = [];
  for (let n = 0; n < changes; n++) {
    seconds.push(await replace(`change ${n}`));
    if (n % 10 === 9) say(`${n + 1} changes, the last one served after ${rounded(seconds.at(-1)!)} s`);
  }

  const before = await memory();
  let most = before;
  const began = performance.now();
  for (let n = 0; n < changes; n++) {
    await (n % 2 === 0 ? edge.register("prosaas-api", 1) : edge.deregister("prosaas-api", 1));
    if (n % 10 === 9) await openMore(1);
    most = Math.max(most, await memory());
    await Bun.sleep(Math.max(0, began + (stormMs * (n + 1)) / changes - performance.now()));
  }
  const stormS = (performance.now() - began) / 1000;
  say(`a storm of ${changes} changes in ${rounded(stormS)} s`);
  const afterStorm = await replace("after the storm");
  most = Math.max(most, await memory());
  const ended = streams.filter((stream) => !stream.isOpen()).length;
  await publish("bench:edge", values, {
    changes,
    served_s_p50: rounded(quantile(seconds, 0.5)),
    served_s_p99: rounded(quantile(seconds, 0.99)),
    storm_s: rounded(stormS),
    storm_mb: rounded(most - before, 1),
    after_storm_served_s: rounded(afterStorm),
    streams: streams.length,
    streams_ended: ended,
  });
  if (ended > 0 || quantile(seconds, 0.99) > 3 || most - before > 64) process.exitCode = 1;
} finally {
  for (const stream of streams) stream.close();
  await edge.stop();
}
