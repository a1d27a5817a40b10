import { createHash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { z } from "zod";
import { TamperedValue, UnknownKey } from "../../../lib/core/key_ring.ts";
import { AppError } from "../../../lib/core/errors.ts";
import type { MoveOrder } from "../../../lib/contracts/shard/moves.ts";
import type { KeptRow } from "../receiving/kept_messages.ts";
import type { LedgerRow } from "../sending/ledger.ts";
import { contextOf, openFrom, publicKeyBytes, sealFor } from "./move_keys.ts";

/** A named value of an auth store, in plaintext. */
export type AuthEntry = readonly [name: string, value: Uint8Array];

/** A login: the values of the auth store, if there is one, the business's ledger, and the messages kept for it. */
export type Login = { auth: AuthEntry[] | null; ledger: LedgerRow[]; kept: KeptRow[] };

/*
 * "PSmv" ‖ version ‖ the source's public key ‖ box
 * In the box: u32 length of the ledger's JSON ‖ the JSON ‖ for each value of the auth store: u32 length of its name ‖
 * the name ‖ u32 length of the value ‖ the value (nothing where there is no store)
 * The value named `keptName` is the JSON of the kept messages. An earlier version of this service stores it as one more
 * value of the auth store, where nothing reads it.
 */
const magic = Buffer.from("PSmv");
const version = 2;
const headerBytes = magic.length + 1 + publicKeyBytes;
const sealKey = "bundle";
const keptName = "moved/kept";

const base64 = z.base64().transform((text) => Buffer.from(text, "base64"));
const keptRows = z.array(
  z.object({
    purpose: z.enum(["original", "unread"]),
    wa_message_id: z.string().min(1),
    at: z.int(),
    body: base64,
  }),
);

const ledgerRows = z.array(
  z.object({
    wa_message_id: z.string().min(1),
    at: z.int(),
    chat: z.string().min(1),
    /** Base64 of the message as it was handed over. */
    body: base64,
    /** Shards of an earlier version do not send it. */
    recipients: z
      .int()
      .min(0)
      .nullish()
      .transform((recipients) => recipients ?? null),
    result: z.enum(["sent", "failed"]).nullable(),
    result_at: z.int().nullable(),
    error_code: z.string().nullable(),
    error_message: z.string().nullable(),
  }),
);

/** Seals a login for one move. Only the shard that created `receiver` for this move can open it. */
export function packLogin(
  login: Login,
  businessId: string,
  order: MoveOrder,
  receiver: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const fields = [jsonOf(login.ledger)];
  if (login.auth !== null && login.kept.length > 0) fields.push(Buffer.from(keptName), jsonOf(login.kept));
  for (const [name, value] of login.auth ?? []) fields.push(Buffer.from(name), Buffer.from(value));
  const plain = Buffer.concat(fields.flatMap((field) => [lengthOf(field), field]));
  const { publicKey, ring } = sealFor(receiver);
  const { box } = ring.sealer(sealKey, publicKey).seal(plain, contextOf(businessId, order));
  return new Uint8Array(Buffer.concat([magic, Buffer.from([version]), publicKey, box]));
}

/** @throws AppError "conflict" if the bundle is not this move's, was altered, or was sealed for another key. */
export function unpackLogin(bytes: Uint8Array, businessId: string, order: MoveOrder, key: KeyObject): Login {
  const bundle = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (
    bundle.length < headerBytes ||
    !bundle.subarray(0, magic.length).equals(magic) ||
    bundle[magic.length] !== version
  ) {
    throw new AppError("conflict", "The body is no bundle in the format of this shard's version.");
  }
  const sender = bundle.subarray(magic.length + 1, headerBytes);
  const sealed = { keyId: "move", box: bundle.subarray(headerBytes) };
  const plain = opened(() => openFrom(sender, key).sealer(sealKey, sender).open(sealed, contextOf(businessId, order)));
  const [ledger, ...values] = fieldsOf(plain);
  const auth: AuthEntry[] = [];
  let kept: KeptRow[] = [];
  for (let at = 0; at < values.length; at += 2) {
    const [name, value] = [values[at]!.toString("utf8"), values[at + 1]!];
    if (name === keptName) kept = keptRows.parse(JSON.parse(value.toString("utf8")));
    else auth.push([name, value]);
  }
  return {
    auth: auth.length === 0 ? null : auth,
    ledger: ledgerRows.parse(JSON.parse(ledger!.toString("utf8"))),
    kept,
  };
}

/** Bodies as base64. */
function jsonOf(rows: readonly { body: Uint8Array }[]): Buffer {
  const encoded = rows.map(({ body, ...row }) => ({ ...row, body: Buffer.from(body).toString("base64") }));
  return Buffer.from(JSON.stringify(encoded));
}

function lengthOf(field: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(field.length);
  return length;
}

/** The fields that `packLogin` wrote. They were authenticated, so a length that does not fit is our own bug. */
function fieldsOf(plain: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  for (let at = 0; at < plain.length;) {
    const end = at + 4 + plain.readUInt32BE(at);
    if (end > plain.length) throw new RangeError("a field of the bundle is cut short");
    fields.push(plain.subarray(at + 4, end));
    at = end;
  }
  return fields;
}

export function checksumOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function opened(open: () => Buffer): Buffer {
  try {
    return open();
  } catch (error) {
    if (error instanceof UnknownKey || error instanceof TamperedValue) {
      throw new AppError("conflict", `The bundle does not open here: ${error.message}.`, { cause: error });
    }
    throw error;
  }
}
