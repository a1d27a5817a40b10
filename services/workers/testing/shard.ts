import { Hono } from "hono";
import { bearer } from "../../../lib/runtime/http.ts";
import { numbersRequest } from "../../../lib/contracts/shard/chats.ts";
import { batchRequest, journalAck } from "../../../lib/contracts/shard/schemas.ts";
import { shardToken as tokenOf } from "../../../lib/contracts/shard/secrets.ts";
import type { BatchMessage, JournalStream, PacingSettings, SendResult } from "../../../lib/contracts/shard/index.ts";

/** Root of the tokens that clients hold. */
export const shardToken = "token-of-the-test-shards";

export type Delivery = { business_id: string; chat: string; text: string; wa_message_id: string };

type Entry = { seq: number; business_id: string; at: string; data: unknown };
type Handed = BatchMessage & { text?: string };
type Batch = { business_id: string; messages: Handed[]; pacing?: PacingSettings | null | undefined };

/**
 * A fake shard: a real HTTP server that keeps the contract (ledger, order, journal until acknowledged) and whose
 * WhatsApp is an array. Tests inject faults between it and its caller.
 */
export function startTestShard() {
  const deliveries: Delivery[] = [];
  const batches: Batch[] = [];
  const ledger = new Map<string, SendResult>();
  const journal = new Map<JournalStream, Entry[]>();
  let seq = 0;

  const shard = {
    /** Messages that reached WhatsApp, in order; a duplicate in here was sent twice. */
    deliveries,
    /** Every batch as it arrived, repeated ones included. */
    batches,
    /** Called before a batch is handled: a Response refuses it. */
    refuse: (_batch: Batch): Response | undefined => undefined,
    /** WhatsApp's decision about a message; undefined: sent. */
    decide: (_message: Handed): Pick<SendResult, "status" | "error" | "wait_ms" | "holds" | "account"> | undefined =>
      undefined,
    /** The JID of a number's account, as WhatsApp spells it. */
    accountOf: (number: string): string => `${number}@s.whatsapp.net`,
    /** Numbers that were checked. */
    checked: [] as string[],
    /** Called before numbers are checked: a Response refuses it. */
    refuseNumbers: (): Response | undefined => undefined,
    /** Awaited after a batch was handled, before it is answered. */
    beforeAnswer: async (_batch: Batch): Promise<Response | undefined> => undefined,
    /** Appends to the journal without validation. */
    append: (stream: JournalStream, business_id: string, data: unknown) => {
      const entries = journal.get(stream) ?? [];
      journal.set(stream, entries);
      entries.push({ seq: ++seq, business_id, at: new Date().toISOString(), data });
    },
    unacknowledged: (stream: JournalStream) => journal.get(stream)?.length ?? 0,
    /** Called before a page of the journal is returned: a Response refuses it. */
    refuseJournal: (): Response | undefined => undefined,
    url: "",
    stop: async () => {},
  };

  const handle = (business_id: string, message: Handed): SendResult => {
    const known = ledger.get(message.wa_message_id);
    if (known !== undefined) return known;
    const decision = shard.decide(message) ?? { status: "sent" };
    const result: SendResult = { id: message.id, wa_message_id: message.wa_message_id, ...decision };
    if (result.status === "retry" || result.status === "paced") return result;
    if (result.status === "sent") {
      result.sent_at = new Date().toISOString();
      deliveries.push({
        business_id,
        chat: message.to,
        text: message.text ?? "",
        wa_message_id: message.wa_message_id,
      });
    }
    ledger.set(message.wa_message_id, result);
    return result;
  };

  const app = new Hono();
  app.use("*", (c, next) => bearer(tokenOf(shardToken, Number(c.req.header("x-shard"))))(c, next));
  app.post("/sessions/:id/numbers", async (c) => {
    const refused = shard.refuseNumbers();
    if (refused) return refused;
    const { numbers } = numbersRequest.parse(await c.req.json());
    shard.checked.push(...numbers);
    return c.json({ data: numbers.map((number) => ({ number, on_whatsapp: true, jid: shard.accountOf(number) })) });
  });
  app.post("/sessions/:id/messages", async (c) => {
    const batch = { business_id: c.req.param("id"), ...batchRequest.parse(await c.req.json()) };
    batches.push(batch);
    const refused = shard.refuse(batch);
    if (refused) return refused;
    const results: SendResult[] = [];
    const held = new Map<string, Partial<SendResult>>();
    for (const message of batch.messages) {
      const ids = { id: message.id, wa_message_id: message.wa_message_id };
      const waits = held.get("everything") ?? held.get(message.to);
      const result: SendResult = waits ? { status: "retry", ...waits, ...ids } : handle(batch.business_id, message);
      if (result.status === "retry" || result.status === "paced")
        held.set(result.holds === "everything" ? "everything" : message.to, result);
      results.push(result);
    }
    return (await shard.beforeAnswer(batch)) ?? c.json({ results });
  });
  app.get("/journal/:stream", (c) => {
    const refused = shard.refuseJournal();
    if (refused) return refused;
    const entries = journal.get(c.req.param("stream") as JournalStream) ?? [];
    const limit = Number(c.req.query("limit") ?? 500);
    return c.json({ entries: entries.slice(0, limit), more: entries.length > limit });
  });
  app.post("/journal/:stream/ack", async (c) => {
    const { through } = journalAck.parse(await c.req.json());
    const stream = c.req.param("stream") as JournalStream;
    journal.set(
      stream,
      (journal.get(stream) ?? []).filter((entry) => entry.seq > through),
    );
    return c.body(null, 204);
  });
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: app.fetch });
  shard.url = `http://127.0.0.1:${server.port}`;
  shard.stop = () => server.stop(true);
  return shard;
}

/** A refusal as a shard returns it. */
export function refusal(status: number, detail: string): Response {
  return Response.json({ title: "refused", status, detail }, { status, headers: { "retry-after": "1" } });
}
