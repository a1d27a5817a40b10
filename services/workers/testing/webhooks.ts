import { forBusiness } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import type { ReceivedEvent } from "./endpoint.ts";
import { useWorkers } from "./workers.ts";

/** Workers and a business for each test of a file, and the steps that webhook tests share. */
export function useWebhookStage() {
  const stage = useWorkers();
  let serial = 0;

  const chat = (n: number) => `1555000${String(n).padStart(4, "0")}@s.whatsapp.net`;

  return Object.assign(stage, {
    scope: () => forBusiness(stage.workers.database.db, stage.business),
    chat,
    /** Journals messages of customers, round-robin over the chats. */
    receive: async (count: number, chats = 1): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const from = chat(i % chats);
        stage.workers.shard.append("inbound", stage.business, inboundText(`IN${++serial}`, from, `${i}`));
      }
      await stage.workers.producer.wake("inbound", { shard: 1 });
    },
    serve: async (): Promise<void> => {
      await stage.workers.serve("high");
      await stage.workers.serve("receipts");
      await stage.workers.serve("default");
    },
    settled: (id: string, status: string) =>
      until(async () => (await stage.workers.deliveries(id)).every((delivery) => delivery.status === status), {
        what: `every delivery ${status}`,
      }),
    texts: (events: readonly ReceivedEvent[]) => events.map(({ data }) => data["text"]),
    /** Makes pending deliveries due now, as if time had passed. */
    passTime: async (id: string) => {
      await stage.workers.database.owner`
        update webhook_deliveries set next_attempt_at = date_trunc('milliseconds', now()) - interval '1 second'
        where webhook_id = ${id} and status = 'pending'`;
      await stage.workers.database.owner`
        update webhooks set
          next_attempt_at = date_trunc('milliseconds', now()) - interval '1 second',
          failing_since = failing_since - interval '1 hour'
        where id = ${id}`;
      await stage.workers.producer.wake("deliver", { webhook_id: id });
    },
  });
}

/** A text message as a shard journals it. */
function inboundText(wa_message_id: string, from: string, text: string) {
  return {
    wa_message_id,
    chat: from,
    sender: from,
    from_me: false,
    push_name: "Ada",
    timestamp: Date.now(),
    type: "text",
    text,
  };
}
