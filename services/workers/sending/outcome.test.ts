import { describe, expect, test } from "bun:test";
import type { PendingMessage } from "../../../lib/db/index.ts";
import { outcomeOf, undecided } from "./outcome.ts";

const message: PendingMessage = {
  id: "01900000-0000-7000-8000-000000000001",
  chat: "15550001111@s.whatsapp.net",
  type: "text",
  text: "hello",
  content: null,
  wa_message_id: "3EB0",
  broadcast_id: null,
  attempts: 0,
};
const now = new Date("2026-01-01T00:00:00Z");
const result = { id: message.id, wa_message_id: message.wa_message_id };

describe("outcomeOf", () => {
  test("takes the acknowledgement's time for a sent message", () => {
    const at = "2025-12-31T23:59:58.000Z";
    expect(outcomeOf(message, { ...result, status: "sent", sent_at: at }, now)).toEqual({
      id: message.id,
      status: "sent",
      at: new Date(at),
    });
    expect(outcomeOf(message, { ...result, status: "sent" }, now)).toMatchObject({ at: now });
  });

  test("keeps WhatsApp's code and reason of a refusal", () => {
    const error = { code: "463", message: "The account is restricted." };
    expect(outcomeOf(message, { ...result, status: "failed", error }, now)).toEqual({
      id: message.id,
      status: "failed",
      at: now,
      error_code: "463",
      error_message: "The account is restricted.",
    });
  });

  test("backs off an undecided message up to a minute", () => {
    const waits = [0, 2, 4, 50].map((attempts) => {
      const outcome = undecided({ ...message, attempts }, "not_sent", "Not now.", now);
      return outcome.status === "retry" ? outcome.next_attempt_at.getTime() - now.getTime() : Number.NaN;
    });
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(waits[0]).toBeGreaterThan(0);
    expect(waits.at(-1)).toBeLessThanOrEqual(60_000);
  });

  test("waits at least as long as the shard says", () => {
    const outcome = outcomeOf(message, { ...result, status: "retry", wait_ms: 45_000 }, now);
    expect(outcome).toMatchObject({ status: "retry", next_attempt_at: new Date(now.getTime() + 45_000) });
  });
});
