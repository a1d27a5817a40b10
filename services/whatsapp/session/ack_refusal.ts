import type { BinaryNode } from "@whiskeysockets/baileys";
import { backoffOf } from "../sending/cooldown.ts";

/** WhatsApp's code for a refused message, and the wait that it names. */
export type AckRefusal = { code: string; backoffMs: number | undefined };

export function refusalIn(attrs: BinaryNode["attrs"]): AckRefusal | undefined {
  const { error: code } = attrs;
  return code === undefined ? undefined : { code, backoffMs: backoffOf(attrs) };
}
