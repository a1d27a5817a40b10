import { z } from "@hono/zod-openapi";

const digits = z.string().regex(/^\d{5,15}$/, "digits of a phone number, without +");

const target = {
  /** Affects this phone only: that of the connection, or for ticks and deliveries either side. Unset: all phones. */
  phone: digits.optional(),
  /** How often the fault strikes before it is spent. */
  times: z.int().min(1).optional(),
  /** How many occasions pass before the first strike. Not for faults that end a connection. */
  skip: z.int().min(0).optional(),
};

const ms = z.int().min(0).max(600_000);
/** The wait that WhatsApp names in a refusal, in seconds. */
const backoff = z.int().min(1).max(86_400).optional();
const query = z.enum(["usync", "keys", "groups", "media", "app_state"]);

/** All faults; `concernsConnection` (inject_fault.ts) says which strike open connections at once. */
export const faultSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("drop"), ...target, after_frames: z.int().min(1).optional() }),
  z.strictObject({ kind: z.literal("replaced"), ...target }),
  z.strictObject({ kind: z.literal("logged_out"), ...target }),
  z.strictObject({ kind: z.literal("restart"), ...target }),
  z.strictObject({
    kind: z.literal("unavailable"),
    ...target,
    at: z.enum(["stream", "login", "upgrade"]).default("stream"),
  }),
  z.strictObject({
    kind: z.literal("login_failure"),
    ...target,
    reason: z.string().regex(/^[45]\d\d$/, "a code from 400 to 599"),
    /** For 402, a temporary ban: its duration in seconds, and WhatsApp's code of the reason. */
    expire: z.int().min(0).optional(),
    code: z.int().min(0).optional(),
  }),
  /** Refuses logins and pairings of clients with an earlier version with 405. */
  z.strictObject({
    kind: z.literal("outdated"),
    ...target,
    minimum: z.string().regex(/^\d+\.\d+\.\d+$/, "a version such as 2.3000.1"),
  }),
  /** Refuses to issue a pairing code for the phone. */
  z.strictObject({ kind: z.literal("code_refuse"), ...target, code: z.int().min(400).max(599) }),
  /** Ends a connection with any stream error. */
  z.strictObject({
    kind: z.literal("stream_error"),
    ...target,
    code: z
      .string()
      .regex(/^\d{3}$/, "three digits")
      .optional(),
    conflict: z.string().min(1).max(64).optional(),
    /** The tag of its child, such as "ack". */
    child: z.string().min(1).max(64).optional(),
  }),
  z.strictObject({ kind: z.literal("silence"), ...target, answer_pings: z.boolean().default(false) }),
  z.strictObject({ kind: z.literal("ack_delay"), ...target, ms }),
  z.strictObject({ kind: z.literal("ack_refuse"), ...target, code: z.int().min(400).max(599), backoff }),
  z.strictObject({ kind: z.literal("ack_lost"), ...target }),
  /** Drops the connection at a message of a business, which is lost. */
  z.strictObject({ kind: z.literal("message_lost"), ...target }),
  /** Refuses a message to a person with 463 unless it carries the privacy token that the person gave to the sender. */
  z.strictObject({ kind: z.literal("token_required"), ...target }),
  z.strictObject({ kind: z.literal("duplicate"), ...target, copies: z.int().min(2).max(50).default(2) }),
  z.strictObject({
    kind: z.literal("ticks"),
    ...target,
    /** `combined`: those of a group's members in one stanza. */
    mode: z.enum(["none", "reversed", "delayed", "combined"]),
    ms: ms.default(1000),
  }),
  z.strictObject({ kind: z.literal("not_on_whatsapp"), ...target }),
  /** Answers queries for `phone` without its LID. */
  z.strictObject({ kind: z.literal("no_lid"), ...target }),
  /** Refuses queries of a business. */
  z.strictObject({
    kind: z.literal("query_refuse"),
    ...target,
    query,
    code: z.int().min(400).max(599),
    backoff,
  }),
  /** Answers queries of a business after `ms`. */
  z.strictObject({ kind: z.literal("query_late"), ...target, query, ms }),
  /** Answers a query for the keys of one device of `phone` with an error, as if the device had uploaded none. */
  z.strictObject({
    kind: z.literal("no_keys"),
    ...target,
    device: z.int().min(0).max(98).default(0),
    code: z.int().min(400).max(599).default(404),
  }),
  z.strictObject({
    kind: z.literal("media"),
    ...target,
    mode: z.enum(["gone", "away", "garbage", "cut", "upload_refused"]),
  }),
]);

export type Fault = z.output<typeof faultSchema>;
export type FaultKind = Fault["kind"];
export const faultKind = z.enum(faultSchema.options.map(({ shape }) => shape.kind.value));
export type FaultOf<K extends FaultKind> = Extract<Fault, { kind: K }>;

type Entry = { fault: Fault; left: number; skip: number };

/** The active faults. */
export class Faults {
  #byKind = new Map<FaultKind, Entry[]>();

  add(fault: Fault): void {
    const entries = this.#byKind.get(fault.kind) ?? [];
    entries.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY, skip: fault.skip ?? 0 });
    this.#byKind.set(fault.kind, entries);
  }

  /** Deletes all faults, or those of a kind. */
  clear(kind?: FaultKind): void {
    if (kind === undefined) this.#byKind.clear();
    else this.#byKind.delete(kind);
  }

  list(): (Fault & { left?: number })[] {
    return [...this.#byKind.values()]
      .flat()
      .map(({ fault, left }) => (Number.isFinite(left) ? Object.assign({ left }, fault) : fault));
  }

  /** Returns the active fault of this kind for one of these phones, and uses one of its strikes. */
  strike<K extends FaultKind>(kind: K, ...phones: (string | undefined)[]): FaultOf<K> | undefined {
    return this.strikeIf(kind, () => true, ...phones);
  }

  /** Does the same among the faults that `condition` accepts. */
  strikeIf<K extends FaultKind>(
    kind: K,
    condition: (fault: FaultOf<K>) => boolean,
    ...phones: (string | undefined)[]
  ): FaultOf<K> | undefined {
    const entries = this.#byKind.get(kind);
    if (!entries) return undefined;
    const entry = entries.find(
      ({ fault }) => (fault.phone === undefined || phones.includes(fault.phone)) && condition(fault as FaultOf<K>),
    );
    if (!entry) return undefined;
    if (entry.skip > 0) {
      entry.skip -= 1;
      return undefined;
    }
    entry.left -= 1;
    if (entry.left <= 0) this.#remove(kind, entry);
    return entry.fault as FaultOf<K>;
  }

  #remove(kind: FaultKind, entry: Entry): void {
    const left = (this.#byKind.get(kind) ?? []).filter((other) => other !== entry);
    if (left.length > 0) this.#byKind.set(kind, left);
    else this.#byKind.delete(kind);
  }
}
