import { uuidv7, whatsappMessageId } from "../../../../lib/core/ids.ts";
import { forBusiness, submitMessage } from "../../../../lib/db/index.ts";
import { storedContent } from "../../../../lib/messages/index.ts";
import type { MessageContent } from "../../../../lib/messages/index.ts";
import type { Business } from "../../rig/pairing.ts";
import type { Stage } from "./stage.ts";

/** Pause before a retry while Postgres is unavailable, ms. */
const pauseMs = 200;

/** A message that Postgres has accepted. `chat`: the JID that the caller gave. */
export type Submitted = { id: string; waId: string; chat: string; text: string };

/** Does what the API does for a client that retries until it is answered. */
export async function submit(
  { db, producer }: Pick<Stage, "db" | "producer">,
  business: Pick<Business, "id">,
  chat: string,
  content: MessageContent,
): Promise<Submitted> {
  const id = uuidv7();
  const waId = whatsappMessageId(id);
  const stored = storedContent(content);
  const message = { id, chat, wa_message_id: waId, ...stored };
  const idempotency = { key: id, fingerprint: id, status: 202, response: { id } };
  const scope = forBusiness(db, business.id);
  for (;;) {
    const submission = await submitMessage(scope, message, { idempotency }).catch(() => undefined);
    if (submission?.outcome === "accepted" || submission?.outcome === "replayed") break;
    await Bun.sleep(pauseMs);
  }
  // While Redis is down the sweep re-enqueues the business.
  await producer.wake("send", { business_id: business.id }).catch(() => {});
  return { id, waId, chat, text: stored.text ?? "" };
}
