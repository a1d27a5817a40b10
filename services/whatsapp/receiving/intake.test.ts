import { describe, expect, test } from "bun:test";
import type { ReceiptData } from "../../../lib/contracts/shard/schemas.ts";
import { Intake } from "./intake.ts";

const group = "120363000000000001@g.us";
const phone = "15550001111@s.whatsapp.net";

/** The receipts that are journaled for one of a message to the group; its member's number is known to the business. */
function journaled(from: string, participant?: string): ReceiptData[] {
  const receipts: ReceiptData[] = [];
  const options = {
    accounts: {
      chatOf: (jid: string) => (jid === "77@lid" ? phone : jid),
      areDifferent: (one: string, other: string) => one !== other,
    },
    me: () => ({ id: "15550009999:3@s.whatsapp.net" }),
    sentTo: (id: string) => (id === "A" ? { chat: group, recipients: 2 } : undefined),
    control: { holdOutput: () => {} },
    events: {
      receipt: async (receipt: ReceiptData) => void receipts.push(receipt),
    },
  } as unknown as ConstructorParameters<typeof Intake>[0];
  const attrs = { id: "A", from, type: "read", t: "1700000000", ...(participant ? { participant } : {}) };
  new Intake(options).receipt({ tag: "receipt", attrs });
  return receipts;
}

describe("receipts of a group's member", () => {
  test("keep the member's name in the group", () => {
    expect(journaled(group, "77@lid")).toMatchObject([
      { wa_message_id: "A", chat: group, member: "77@lid", recipients: 2 },
    ]);
  });

  test("from another group are ignored", () => {
    expect(journaled("120363000000000002@g.us", "77@lid")).toEqual([]);
  });

  test("in a chat of their own are ignored", () => {
    expect(journaled(phone)).toEqual([]);
  });
});
