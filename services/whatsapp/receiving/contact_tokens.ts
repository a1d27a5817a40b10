import { jidDecode, jidNormalizedUser } from "@whiskeysockets/baileys";
import type { SignalDataSet, SignalKeyStore } from "@whiskeysockets/baileys";
import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";
import { jsonOrUndefined } from "../../../lib/core/json.ts";
import { isJid, lidJid } from "../codec/jid.ts";
import type { HistoryChat } from "./history_records.ts";

/** Bounds the index of tokens, which is rewritten as a whole. */
export const maxTokens = 20_000;
/** Bounds the time until the event loop turns while tokens are stored. */
const chatsPerSlice = 500;
/** Baileys' index of stored tokens, by which it removes expired ones. */
const tokenIndex = "__index";

type SignalTokens = Record<string, { token: Buffer; timestamp: string; senderTimestamp?: number }>;

/** Stores the privacy tokens of a history's chats as Baileys does for other sources, under each name of the contact. */
export async function storeContactTokens(keys: SignalKeyStore, chats: readonly HistoryChat[]): Promise<void> {
  for (let at = 0; at < chats.length; at += chatsPerSlice) {
    if (at > 0) await nextTurn();
    await storeSlice(keys, chats.slice(at, at + chatsPerSlice));
  }
}

async function storeSlice(keys: SignalKeyStore, chats: readonly HistoryChat[]): Promise<void> {
  const tokens = new Map<string, SignalTokens[string]>();
  for (const { id, pnJid, lidJid, tcToken, tcTokenTimestamp, tcTokenSenderTimestamp } of chats) {
    if (tcToken === undefined || !isTime(tcTokenTimestamp)) continue;
    const token = {
      token: tcToken,
      timestamp: String(tcTokenTimestamp),
      ...(isTime(tcTokenSenderTimestamp) ? { senderTimestamp: tcTokenSenderTimestamp } : {}),
    };
    for (const name of await namesOf(keys, [id, pnJid, lidJid])) tokens.set(name, token);
  }
  if (tokens.size === 0) return;
  const known = await keys.get("tctoken", [...tokens.keys(), tokenIndex]);
  const names = new Set(indexOf(known[tokenIndex]?.token));
  const fresh = [...tokens]
    .filter(([name, { timestamp }]) => Number(known[name]?.timestamp ?? 0) < Number(timestamp))
    .slice(0, Math.max(0, maxTokens - names.size));
  if (fresh.length === 0) return;
  for (const [name] of fresh) names.add(name);
  const index = { token: Buffer.from(JSON.stringify([...names])) };
  const data: SignalDataSet = { tctoken: { ...Object.fromEntries(fresh), [tokenIndex]: index } };
  await keys.set(data);
}

/** A contact's names, with the LID that the store knows for its number. */
async function namesOf(keys: SignalKeyStore, jids: (string | undefined)[]): Promise<Set<string>> {
  const names = new Set<string>();
  for (const jid of jids) {
    const name = jidNormalizedUser(jid);
    if (!isJid(name) || name.endsWith("@g.us")) continue;
    names.add(name);
    const { user } = jidDecode(name)!;
    const lid = name.endsWith("@lid") ? undefined : (await keys.get("lid-mapping", [user]))[user];
    if (lid !== undefined) names.add(lidJid(lid));
  }
  return names;
}

const isTime = (seconds: number | undefined): seconds is number => Number.isSafeInteger(seconds) && seconds! > 0;

function indexOf(stored: Uint8Array | undefined): string[] {
  if (stored === undefined) return [];
  const parsed = z.array(z.string()).safeParse(jsonOrUndefined(Buffer.from(stored).toString("utf8")));
  return parsed.success ? parsed.data : [];
}
