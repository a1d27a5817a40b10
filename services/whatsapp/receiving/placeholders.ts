import type { BinaryNode, WAMessageKey } from "@whiskeysockets/baileys";
import { z } from "zod";
import type { AuthStore } from "../auth/auth_store.ts";

/** A message whose content only the phone has. */
const placeholder = z.object({
  id: z.string(),
  key: z.looseObject({ remoteJid: z.string(), id: z.string() }),
  push_name: z.string().optional(),
  /** WhatsApp's time, Unix seconds. */
  at: z.number(),
  /** How often the phone was asked for it. */
  asked: z.int().min(0),
});
export type Placeholder = z.infer<typeof placeholder> & { key: WAMessageKey };

/** Only an account that was offline for long gets more at once. */
const capacity = 200;
/** Like WhatsApp Web, which requests no older ones. */
const maxAgeS = 14 * 86_400;
const maxRequests = 5;
const entry = "placeholders";

/** Kinds whose content the phone does not give to companions. */
const withoutContent: ReadonlySet<string> = new Set([
  "bot_unavailable_fanout",
  "hosted_unavailable_fanout",
  "view_once_unavailable_fanout",
  "view_once",
]);

/** True if a stanza is a placeholder whose content the phone can resend. */
export function isPlaceholder({ content }: BinaryNode): boolean {
  if (!Array.isArray(content)) return false;
  const unavailable = content.find(({ tag }) => tag === "unavailable");
  const encrypted = content.some(({ tag }) => tag === "enc" || tag === "plaintext");
  return unavailable !== undefined && !encrypted && !withoutContent.has(unavailable.attrs["type"] ?? "");
}

/**
 * The placeholders of one login that the phone has not answered yet. They are kept in the auth store: WhatsApp forgets
 * a placeholder once it is acknowledged, and the shard may stop before it has asked the phone.
 */
export class Placeholders {
  readonly #store: Pick<AuthStore, "read" | "write">;
  readonly #pending = new Map<string, Placeholder>();

  constructor(store: Pick<AuthStore, "read" | "write">) {
    this.#store = store;
    const stored = store.read(entry);
    const known =
      stored === undefined
        ? []
        : z
            .array(placeholder)
            .catch([])
            .parse(JSON.parse(stored.toString("utf8")));
    for (const each of known) this.#pending.set(each.id, each);
  }

  get(id: string): Placeholder | undefined {
    return this.#pending.get(id);
  }

  /** Records a placeholder. Ignores one that comes again. */
  add({ key, at, push_name }: { key: WAMessageKey; at: number; push_name?: string | undefined }): void {
    const { id, remoteJid } = key;
    if (!id || !remoteJid || this.#pending.has(id) || isTooOld(at)) return;
    this.#pending.set(id, { id, key: { ...key, id, remoteJid }, at, asked: 0, ...(push_name ? { push_name } : {}) });
    if (this.#pending.size > capacity) this.#pending.delete(this.#pending.keys().next().value!);
    this.#write();
  }

  /** The content is in the journal. */
  settle(id: string): void {
    if (this.#pending.delete(id)) this.#write();
  }

  /** The placeholders to request from the phone after a login; each a few times at most. */
  due(): Placeholder[] {
    if (this.#pending.size === 0) return [];
    for (const each of this.#pending.values()) {
      if (each.asked >= maxRequests || isTooOld(each.at)) this.#pending.delete(each.id);
      else each.asked += 1;
    }
    this.#write();
    return [...this.#pending.values()];
  }

  #write(): void {
    const pending = [...this.#pending.values()];
    this.#store.write([[entry, pending.length === 0 ? null : Buffer.from(JSON.stringify(pending))]]);
  }
}

const isTooOld = (at: number) => !(Date.now() / 1000 - at < maxAgeS);
