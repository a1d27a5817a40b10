import { sleep } from "../../../../lib/core/time.ts";
import { restartNode } from "../../cluster/lifecycle.ts";
import { powerOff } from "../../cluster/node.ts";
import { endScript } from "../scale/scripts.ts";
import type { Ended, Script } from "../scale/scripts.ts";
import { useServer } from "./operator.ts";
import { awaitReady, awaitServers } from "./settled.ts";
import type { Stage } from "./stage.ts";
import type { Step } from "./steps.ts";
import { endedDuring } from "./survivors.ts";
import { ensureShards } from "./victim.ts";
import { rounded } from "../../figures.ts";

/** A command says within this time why it cannot work. */
const refusedWithinS = 10;

/** Commands of every kind; each would change something. */
const commandsOf = ({ victim }: Stage): readonly [Script, ...string[]][] => [
  ["api", "--count", "3"],
  ["shards", "--count", "9"],
  ["rebalance"],
  ["drain", "--node", victim.name],
  ["restore", "--shards", "1"],
];

/** Describes the fault of a command that has to refuse in words; null if it has none. */
export function faultOfRefusal({ code, stderr, seconds }: Ended): string | null {
  if (code !== 1) return `it exited ${code}`;
  if (!/no leader/.test(stderr)) return `its reason is another one: ${stderr.trim().slice(-300)}`;
  if (/^\s+at /m.test(stderr)) return `it printed a stack trace: ${stderr.trim().slice(-300)}`;
  if (seconds > refusedWithinS) return `it took ${seconds.toFixed(1)} s`;
  return null;
}

async function traffic({ simulator }: Stage): Promise<{ sent: number; received: number }> {
  const stats = await simulator.stats();
  return { sent: stats["messages_accepted"] ?? 0, received: stats["messages_delivered"] ?? 0 };
}

export const serversLost: Step = {
  name: "a majority of the servers loses its power",
  run: async (stage, { serversLostS, perMinute }) => {
    const { servers } = stage.cluster.layout;
    await ensureShards(stage);
    const left = servers.slice(0, Math.floor((servers.length - 1) / 2));
    if (left.length === 0) throw new Error("the step needs three servers");
    const lost = servers.slice(left.length);
    await useServer(stage, left[0]!);
    const faults: string[] = [];
    let slowestS = 0;
    let sent = 0;
    let received = 0;
    const ended = await endedDuring(stage, stage.cluster.layout.clients, async () => {
      const before = await traffic(stage);
      const began = performance.now();
      for (const server of lost) await powerOff(stage.cluster, server);
      for (const [script, ...args] of commandsOf(stage)) {
        const outcome = await endScript(stage, script, args);
        slowestS = Math.max(slowestS, outcome.seconds);
        const fault = faultOfRefusal(outcome);
        if (fault !== null) faults.push(`${script} ${args.join(" ")}: ${fault}`);
      }
      await sleep(Math.max(0, serversLostS * 1000 - (performance.now() - began)));
      const after = await traffic(stage);
      const minutes = (performance.now() - began) / 60_000;
      sent = after.sent - before.sent;
      received = after.received - before.received;
      // Half of what is written allows for a queue at both ends of a short outage.
      for (const [direction, count] of Object.entries({ sent, received }))
        if (count < (perMinute * minutes) / 2)
          faults.push(`${count} messages ${direction} in ${minutes.toFixed(1)} minutes at ${perMinute} a minute`);
      for (const server of lost) await restartNode(stage.cluster, server);
      await awaitServers(stage);
      await awaitReady(stage, "the return of the servers");
    });
    for (const fault of faults) stage.say(fault);
    return {
      servers_lost_s: serversLostS,
      servers_lost_faults: faults.length,
      servers_lost_restarts: ended,
      servers_lost_sent: sent,
      servers_lost_received: received,
      refusal_s_max: rounded(slowestS, 1),
    };
  },
};
