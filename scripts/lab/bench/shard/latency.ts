import type { Business } from "../../rig/pairing.ts";
import { textTo } from "../../rig/courier.ts";
import type { ShardProcess } from "../../rig/shard.ts";
import { textOf } from "../../rig/text.ts";

/**
 * Sends single messages at a steady rate, each business's one after the other. Gives for each, in ms, the time from
 * when it was due until the shard said that WhatsApp has it: a stall is felt by all that it delays.
 */
export async function latencies(
  shard: ShardProcess,
  businesses: readonly Business[],
  perSecond: number,
  seconds: number,
): Promise<{ ms: number[]; texts: Map<string, string[]> }> {
  const ms: number[] = [];
  const texts = new Map<string, string[]>();
  const tails = new Map<string, Promise<void>>();
  const began = performance.now();
  for (let n = 0; n < perSecond * seconds; n++) {
    const due = began + (n / perSecond) * 1000;
    const early = due - performance.now();
    if (early > 1) await Bun.sleep(early);
    const { id, phone, contacts } = businesses[n % businesses.length]!;
    const to = contacts[0]!;
    const text = textOf("steady", phone, n);
    texts.set(to, [...(texts.get(to) ?? []), text]);
    const one = async () => {
      const [result] = await shard.client.sendBatch(shard.location, id, [textTo(to, text)]);
      if (result?.status !== "sent") throw new Error(`a message at a steady rate was not sent: ${result?.status}`);
      ms.push(performance.now() - due);
    };
    tails.set(id, (tails.get(id) ?? Promise.resolve()).then(one));
  }
  await Promise.all(tails.values());
  return { ms, texts };
}
