import { jidNormalizedUser } from "@whiskeysockets/baileys";
import type { BinaryNode, WAMessageKey } from "@whiskeysockets/baileys";
import { z } from "zod";
import type { AuthStore } from "../auth/auth_store.ts";
import { truncate } from "../codec/bounds.ts";
import { maxId, maxName } from "./inbound.ts";

/** A message whose content has not arrived. */
const placeholder = z.object({
  id: z.string(),
  key: z.looseObject({ remoteJid: z.string(), id: z.string() }),
  push_name: z.string().optional(),
  /** WhatsApp's time, Unix seconds. */
  at: z.number(),
  /** How often the phone was asked for it. */
  asked: z.int().min(0),
  /** Why there is no content. */
  reason: z.enum(["not_resent", "undecryptable"]).default("not_resent"),
  /** When it arrived, Unix ms. */
  since: z.number().default(0),
  /** The journal has it as unavailable. */
  reported: z.boolean().default(false),
});
export type Placeholder = z.infer<typeof placeholder> & { key: WAMessageKey };
export type NewPlaceholder = {
  key: WAMessageKey;
  at: number;
  push_name?: string | undefined;
  reason: Placeholder["reason"];
};

/** Only an account that was offline for long gets more at once. */
const capacity = 200;
/** Like WhatsApp Web, which requests no older ones. */
const maxAgeS = 14 * 86_400;
const maxRequests = 5;
/** Undecryptable messages within an hour of a sender without a Signal session: anyone can send garbage. */
const undecryptablePerStranger = 20;
const hourMs = 3_600_000;
const entry = "placeholders";
/** Filled placeholders that are remembered: the phone may answer more than one request. */
const maxFilled = 100;
const filledEntry = "filled-placeholders";

/** Kinds whose content the phone does not resend, by WhatsApp's name for them. */
const withheld: Record<string, string | undefined> = {
  view_once_unavailable_fanout: "view_once",
  view_once: "view_once",
  bot_unavailable_fanout: "bot",
  hosted_unavailable_fanout: "hosted",
};

/** A stanza without content that a companion can read. */
export type Missing = { reason: string; isResent: boolean };

/** Why a stanza has no content; undefined if it has some. `isResent`: the phone may resend it. */
export function missingContent({ content }: BinaryNode): Missing | undefined {
  if (!Array.isArray(content)) return undefined;
  const encrypted = content.filter(({ tag }) => tag === "enc");
  // Baileys does not decrypt stanzas that begin so.
  if (encrypted[0]?.attrs["type"] === "msmsg") return { reason: "bot", isResent: false };
  const unavailable = content.find(({ tag }) => tag === "unavailable");
  if (unavailable === undefined || encrypted.length > 0 || content.some(({ tag }) => tag === "plaintext"))
    return undefined;
  const reason = withheld[unavailable.attrs["type"] ?? ""];
  return reason === undefined ? { reason: "not_resent", isResent: true } : { reason, isResent: false };
}

/**
 * The placeholders of one login that the phone has not answered yet. They are kept in the auth store: WhatsApp forgets
 * a placeholder once it is acknowledged, and the shard may stop before it has asked the phone.
 */
export class Placeholders {
  readonly #store: Pick<AuthStore, "read" | "write">;
  readonly #pending: Map<string, Placeholder>;
  readonly #filled: Map<string, Placeholder>;

  constructor(store: Pick<AuthStore, "read" | "write">) {
    this.#store = store;
    this.#pending = stored(store.read(entry));
    this.#filled = stored(store.read(filledEntry));
  }

  /** The placeholder of a message, pending or filled: content that comes again belongs to the same chat. */
  get(id: string): Placeholder | undefined {
    return this.#pending.get(id) ?? this.#filled.get(id);
  }

  /**
   * Records a placeholder, once. Ignores an id that no phone creates, as the journal does. Returns "over_share" for an
   * undecryptable message beyond its sender's share, which is not recorded. `hasSession`: there is a Signal session
   * with the sender, whose share is then the capacity.
   */
  add(
    { key, at, push_name, reason }: NewPlaceholder,
    hasSession = false,
    now = Date.now(),
  ): "recorded" | "ignored" | "over_share" {
    const { id, remoteJid } = key;
    if (!id || id.length > maxId || !remoteJid || this.get(id) !== undefined) return "ignored";
    const share = hasSession ? capacity : undecryptablePerStranger;
    if (reason === "undecryptable" && this.#undecryptableOf(key, now) >= share) return "over_share";
    this.#pending.set(id, {
      id,
      key: { ...key, id, remoteJid },
      at,
      asked: 0,
      reason,
      since: now,
      reported: false,
      ...(push_name ? { push_name: truncate(push_name, maxName) } : {}),
    });
    this.#makeRoom();
    this.#write();
    return "recorded";
  }

  /** The placeholders that wait longer than `waitMs`, or that are too many, and are not in the journal yet. */
  overdue(waitMs: number, now = Date.now()): Placeholder[] {
    return [...this.#pending.values()].filter(({ reported, since }) => !reported && !(now - since < waitMs));
  }

  /** The journal has it as unavailable. Its content may still come. */
  report(id: string): void {
    const known = this.#pending.get(id);
    if (known === undefined) return;
    known.reported = true;
    this.#write();
  }

  /** The content is in the journal. */
  settle(id: string): void {
    const known = this.#pending.get(id);
    if (known === undefined) return;
    this.#pending.delete(id);
    this.#filled.set(id, known);
    if (this.#filled.size > maxFilled) this.#filled.delete(this.#filled.keys().next().value!);
    this.#store.write([written(entry, this.#pending), written(filledEntry, this.#filled)]);
  }

  /** The phone was asked for the content. */
  requested(id: string): void {
    const known = this.#pending.get(id);
    if (known === undefined) return;
    known.asked += 1;
    this.#write();
  }

  /** The placeholders to request from the phone after a login; each a few times at most. */
  due(): Placeholder[] {
    const pending = [...this.#pending.values()];
    const over = pending.filter(({ id, reported }) => reported && !this.isDue(id));
    for (const { id } of over) this.#pending.delete(id);
    if (over.length > 0) this.#write();
    return pending.filter(({ id }) => this.isDue(id));
  }

  /** True if the phone has not sent the content, and may be asked for it again. */
  isDue(id: string): boolean {
    const known = this.#pending.get(id);
    return known !== undefined && !isTooOld(known.at) && known.asked < maxRequests;
  }

  /** The placeholders to request again on an open connection: after `waitMs`, then after twice the time with each. */
  repeatable(waitMs: number, now = Date.now()): Placeholder[] {
    return [...this.#pending.values()].filter(
      ({ id, since, asked }) => this.isDue(id) && now - since >= waitMs * 2 ** asked,
    );
  }

  /** Forgets the oldest that is in the journal; without any, has the oldest journaled now, up to twice the capacity. */
  #makeRoom(): void {
    if (this.#pending.size <= capacity) return;
    const entries = [...this.#pending.values()];
    const reported = entries.find((each) => each.reported);
    if (reported !== undefined) this.#pending.delete(reported.id);
    else if (entries.length > 2 * capacity) this.#pending.delete(entries[0]!.id);
    else for (const each of entries.slice(0, -capacity)) each.since = 0;
  }

  /** The undecryptable messages of a sender within the last hour. */
  #undecryptableOf(key: WAMessageKey, now: number): number {
    const sender = senderOf(key);
    return [...this.#pending.values()].filter(
      ({ reason, since, key: other }) =>
        reason === "undecryptable" && now - since < hourMs && senderOf(other) === sender,
    ).length;
  }

  #write(): void {
    this.#store.write([written(entry, this.#pending)]);
  }
}

function stored(value: Buffer | undefined): Map<string, Placeholder> {
  const known =
    value === undefined
      ? []
      : z
          .array(placeholder)
          .catch([])
          .parse(JSON.parse(value.toString("utf8")));
  return new Map(known.map((each) => [each.id, each]));
}

function written(name: string, placeholders: ReadonlyMap<string, Placeholder>): [string, Buffer | null] {
  return [name, placeholders.size === 0 ? null : Buffer.from(JSON.stringify([...placeholders.values()]))];
}

const isTooOld = (at: number) => !(Date.now() / 1000 - at < maxAgeS);
const senderOf = ({ remoteJid, participant }: WAMessageKey) =>
  jidNormalizedUser(participant || (remoteJid ?? undefined));
