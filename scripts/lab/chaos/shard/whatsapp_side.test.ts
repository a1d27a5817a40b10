import { expect, test } from "bun:test";
import type { LedgerEntry } from "../../../../services/simulator/whatsapp/ledger.ts";
import type { SimulatorControl } from "../../rig/simulator.ts";
import { WhatsAppSide } from "./whatsapp_side.ts";

const chat = "2@s.whatsapp.net";
const refused: LedgerEntry = { seq: 1, at: 1_000, event: "refused", phone: "1", id: "A", to: chat, code: "463" };
const ended = (at: number): LedgerEntry => ({ seq: 2, at, event: "ended", phone: "1", device: 1, by: "client" });

async function isRefused(entries: readonly LedgerEntry[], error: string | null): Promise<boolean> {
  const ask = async (_: string, path: string) => ({ data: path === "/ledger?after=0" ? entries : [] });
  const side = await WhatsAppSide.read({ ask } as unknown as SimulatorControl);
  return side.finallyRefused({ waId: "A", chat, error });
}

test.each([
  { title: "a final code", entries: [refused], error: null, refusal: true },
  { title: "a connection that ended later", entries: [refused, ended(12_000)], error: null, refusal: true },
  { title: "a lost answer, if the message failed", entries: [refused, ended(1_500)], error: "463", refusal: true },
  { title: "no lost answer of a message sent again", entries: [refused, ended(1_500)], error: null, refusal: false },
  { title: "no passing code", entries: [{ ...refused, code: "429" }], error: null, refusal: false },
])("a refusal is $title", async ({ entries, error, refusal }) => {
  expect(await isRefused(entries, error)).toBe(refusal);
});
