import { addFetches, forPlatform, insertInbound, assignInboundIds } from "../../../../lib/db/index.ts";
import type { InboundMessage } from "../../../../lib/db/index.ts";
import { closeQueues } from "../../../../lib/queues/connection.ts";
import { createProducer } from "../../../../lib/queues/index.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import type { Customer, Platform } from "../../rig/platform.ts";
import type { PictureHost } from "./media_host.ts";

/** Rows of one statement, and wake-ups in flight. */
const page = 500;

/** Inserts `count` inbound pictures over all customers; each is a job that fetches, decrypts and stores one. */
export async function sendPictures(
  { db, redis }: Platform,
  customers: readonly Customer[],
  { pointers }: PictureHost,
  count: number,
): Promise<void> {
  const scope = forPlatform(db);
  const queues = createRedis(`redis://${redis.address}`, "queue");
  const producer = createProducer(queues);
  try {
    for (let from = 0; from < count; from += page) {
      const messages = Array.from({ length: Math.min(page, count - from) }, (_, n) =>
        pictureMessage(customers, pointers, from + n),
      );
      const { fresh: placed } = await assignInboundIds(scope, messages);
      await insertInbound(scope, placed);
      const fetches = placed.map(({ id, business_id, content }) => {
        if (content?.type !== "image") throw new Error("a picture's message says that it is one");
        return { message_id: id, business_id, kind: content.type, pointer: content.media.pointer! };
      });
      await addFetches(scope, fetches);
      const businesses = new Set(fetches.map(({ business_id }) => business_id));
      await Promise.all([...businesses].map((business_id) => producer.wake("fetch_media", { business_id })));
    }
  } finally {
    await closeQueues(queues);
    queues.disconnect();
  }
}

/** A customer receives each picture once if possible, because a known picture costs little. */
function pictureMessage(customers: readonly Customer[], pointers: PictureHost["pointers"], n: number): InboundMessage {
  const customer = customers[n % customers.length]!;
  const pointer = pointers[Math.floor(n / customers.length) % pointers.length]!;
  const sender = `${customer.contacts[n % customer.contacts.length]!}@s.whatsapp.net`;
  const media = { mime: "image/jpeg", size: pointer.file_length, pointer };
  return {
    business_id: customer.id,
    wa_message_id: `PICTURE${n}`,
    chat: sender,
    sender,
    from_me: false,
    at: new Date(),
    type: "image",
    content: { type: "image", media },
  };
}
