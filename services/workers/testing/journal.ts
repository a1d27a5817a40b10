import { until } from "../../../lib/testing/until.ts";
import { useWorkers } from "./workers.ts";

export const chat = "15550002222@s.whatsapp.net";

/** An inbound message of the journal. */
export const received = (n: number, more: Record<string, unknown> = {}) => ({
  wa_message_id: `IN${n}`,
  chat,
  sender: chat,
  from_me: false,
  push_name: "Ada",
  timestamp: 1_760_000_000_000 + n,
  type: "text",
  text: `hello ${n}`,
  ...more,
});

/** Workers over a shard whose journal a test fills. */
export function useJournal() {
  const stage = useWorkers();
  return {
    stage,
    /** Resolves once the workers have acknowledged a whole stream. */
    emptied: (stream: "inbound" | "receipts" | "events") =>
      until(() => stage.workers.shard.unacknowledged(stream) === 0, { what: `an empty ${stream} journal` }),
    /** The texts of the stored messages. */
    texts: async () => (await stage.workers.rows(stage.business)).map((row) => row.text),
  };
}
