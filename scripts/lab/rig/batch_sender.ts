import { uuidv7, whatsappMessageId } from "../../../lib/core/ids.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { maxBatch } from "../../../lib/contracts/shard/index.ts";
import type { BatchMessage } from "../../../lib/contracts/shard/index.ts";
import type { ShardProcess } from "./shard.ts";

/** A text message of a batch. */
export function textTo(to: string, text: string): BatchMessage {
  const id = uuidv7();
  return { id, wa_message_id: whatsappMessageId(id), to, type: "text", text };
}

export type Outbox = { business: string; messages: BatchMessage[] };

export type Delivered = {
  sent: number;
  failed: { message: BatchMessage; code: string | undefined }[];
  /** Duration of each answered batch, ms. */
  batchMs: number[];
};

/** Pause before a retry while the shard is unavailable or a session is not open, ms. */
const pauseMs = 100;

/**
 * Sends batches as the send workers do: one batch of a business at a time, `connections` businesses in parallel.
 * Undecided messages are sent again in order until WhatsApp has decided on each.
 */
export async function deliver(
  shard: ShardProcess,
  outboxes: readonly Outbox[],
  connections: number,
  batchSize = maxBatch,
): Promise<Delivered> {
  const delivered: Delivered = { sent: 0, failed: [], batchMs: [] };
  const waiting = outboxes
    .filter(({ messages }) => messages.length > 0)
    .map(({ business, messages }) => ({ business, messages: [...messages] }));
  const lanes = Array.from({ length: Math.min(connections, waiting.length) }, async () => {
    for (let outbox = waiting.shift(); outbox !== undefined; outbox = waiting.shift()) {
      if (await oneBatch(shard, outbox, batchSize, delivered)) await Bun.sleep(pauseMs);
      if (outbox.messages.length > 0) waiting.push(outbox);
    }
  });
  await Promise.all(lanes);
  return delivered;
}

/** Sends the first messages of an outbox and removes the decided ones; true: pause before the next attempt. */
async function oneBatch(shard: ShardProcess, outbox: Outbox, size: number, delivered: Delivered): Promise<boolean> {
  const batch = outbox.messages.slice(0, size);
  const began = performance.now();
  try {
    const results = await shard.client.sendBatch(shard.location, outbox.business, batch);
    delivered.batchMs.push(performance.now() - began);
    const undecided = batch.filter((message, i) => {
      const result = results[i]!;
      if (result.status === "sent") delivered.sent += 1;
      if (result.status === "failed") delivered.failed.push({ message, code: result.error?.code });
      return result.status === "retry" || result.status === "paced";
    });
    outbox.messages.splice(0, batch.length, ...undecided);
    return undecided.length > 0;
  } catch (error) {
    if (error instanceof AppError && (error.code === "unavailable" || error.code === "upstream_timeout")) return true;
    throw error;
  }
}
