import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import { TamperedValue, UnknownKey } from "../../../lib/core/key_ring.ts";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import { AppError } from "../../../lib/core/errors.ts";
import type { MoveOrder } from "../../../lib/shard-client/moves.ts";
import type { LedgerRow } from "../sending/ledger.ts";

/** What a login is: the auth store's file, if there is one, and what was handed to WhatsApp for the business. */
export type Login = { auth: Uint8Array | null; ledger: LedgerRow[] };

/*
 * "PSmv" ‖ version ‖ 16 bytes of salt ‖ length of the key's id ‖ the id ‖ box
 * In the box: u32 length of the ledger's JSON ‖ the JSON ‖ the auth store's file (nothing where there is none)
 */
const magic = Buffer.from("PSmv");
const version = 1;
const saltBytes = 16;

const ledgerRows = z.array(
  z.object({
    wa_message_id: z.string().min(1),
    at: z.int(),
    chat: z.string().min(1),
    /** Base64 of the message as it was handed over. */
    body: z.base64().transform((text) => Buffer.from(text, "base64")),
    result: z.enum(["sent", "failed"]).nullable(),
    result_at: z.int().nullable(),
    error_code: z.string().nullable(),
    error_message: z.string().nullable(),
  }),
);

/** Seals a login for the way. It opens only for this business and this move, under a key of the ring. */
export function packLogin(login: Login, businessId: string, order: MoveOrder, keys: KeyRing): Uint8Array<ArrayBuffer> {
  const rows = login.ledger.map(({ body, ...row }) => Object.assign(row, { body: Buffer.from(body).toString("base64") }));
  const ledger = Buffer.from(JSON.stringify(rows));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(ledger.length);
  const plain = Buffer.concat([length, ledger, login.auth ?? new Uint8Array()]);
  const salt = randomBytes(saltBytes);
  const { keyId, box } = keys.sealer("bundle", salt).seal(plain, contextOf(businessId, order));
  const id = Buffer.from(keyId);
  return new Uint8Array(Buffer.concat([magic, Buffer.from([version]), salt, Buffer.from([id.length]), id, box]));
}

/** @throws AppError "conflict" where the bundle is not this move's, was altered, or the ring does not open it. */
export function unpackLogin(bytes: Uint8Array, businessId: string, order: MoveOrder, keys: KeyRing): Login {
  const bundle = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const idAt = magic.length + 1 + saltBytes + 1;
  if (bundle.length < idAt || !bundle.subarray(0, magic.length).equals(magic) || bundle[magic.length] !== version) {
    throw new AppError("conflict", "This is no bundle that this version of the shard understands.");
  }
  const salt = bundle.subarray(magic.length + 1, magic.length + 1 + saltBytes);
  const boxAt = idAt + bundle[idAt - 1]!;
  const sealed = { keyId: bundle.subarray(idAt, boxAt).toString("utf8"), box: bundle.subarray(boxAt) };
  const plain = opened(() => keys.sealer("bundle", salt).open(sealed, contextOf(businessId, order)));
  const authAt = 4 + plain.readUInt32BE(0);
  return {
    auth: plain.length === authAt ? null : plain.subarray(authAt),
    ledger: ledgerRows.parse(JSON.parse(plain.subarray(4, authAt).toString("utf8"))),
  };
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

function contextOf(businessId: string, { move_id, fence, from, to }: MoveOrder): string {
  return `bundle/${businessId}/${move_id}/${fence}/${from}/${to}`;
}
