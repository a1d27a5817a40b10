import type { ChatLog } from "../../rig/chat_log.ts";
import { runLoad } from "../../rig/load.ts";
import type { Business } from "../../rig/pairing.ts";
import { textTo } from "../../rig/batch_sender.ts";
import type { ShardProcess } from "../../rig/shard.ts";
import { textOf } from "../../rig/text.ts";

/**
 * Sends single messages at a steady rate, those of a business one after the other. Returns the latency of each in ms,
 * from the moment it was due until the shard reported it sent, so that a stall shows in every message that it delays.
 */
export async function latencies(
  shard: ShardProcess,
  businesses: readonly Business[],
  perSecond: number,
  seconds: number,
  sent: ChatLog,
): Promise<number[]> {
  const ms: number[] = [];
  const jobsAt = (n: number, dueMs: number) => {
    const { id, phone, contacts } = businesses[n % businesses.length]!;
    const to = contacts[0]!;
    const text = textOf("steady", phone, n);
    sent.add(to, text);
    const run = async () => {
      const [result] = await shard.client.sendBatch(shard.location, id, [textTo(to, text)]);
      if (result?.status !== "sent") throw new Error(`a message at a steady rate was not sent: ${result?.status}`);
      ms.push(performance.now() - dueMs);
    };
    return [{ lane: id, run }];
  };
  await runLoad({ perSecond, jobsAt }, Math.ceil(perSecond * seconds));
  return ms;
}
