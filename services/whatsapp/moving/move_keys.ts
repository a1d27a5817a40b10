import { createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { AppError } from "../../../lib/core/errors.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import type { MoveOrder } from "../../../lib/contracts/shard/moves.ts";

/*
 * Keys of one move. The target creates an X25519 key pair for the move and gives its public half to the mover, who
 * passes it to the source; the source creates a pair of its own for the bundle. Their agreed secret seals the bundle:
 * neither an eavesdropper nor another shard can open it, and no one can once the target has deleted its half.
 */

/** Bytes of an X25519 public key. */
export const publicKeyBytes = 32;
/** Moves that may wait for their bundle. A move whose key was evicted requests another one. */
const maxWaiting = 256;

/** The private halves of this shard's move keys, in memory only. */
export class MoveKeys {
  readonly #waiting = new Map<string, KeyObject>();

  /** Creates the key of a move and replaces an earlier one. Returns its public half. */
  offer(businessId: string, order: MoveOrder): Uint8Array {
    const { publicKey, privateKey } = generateKeyPairSync("x25519");
    const id = contextOf(businessId, order);
    this.#waiting.delete(id);
    if (this.#waiting.size >= maxWaiting) this.#waiting.delete(this.#waiting.keys().next().value!);
    this.#waiting.set(id, privateKey);
    return bytesOf(publicKey);
  }

  get(businessId: string, order: MoveOrder): KeyObject | undefined {
    return this.#waiting.get(contextOf(businessId, order));
  }

  forget(businessId: string, order: MoveOrder): void {
    this.#waiting.delete(contextOf(businessId, order));
  }
}

/** The context that a bundle is bound to. */
export function contextOf(businessId: string, { move_id, fence, from, to }: MoveOrder): string {
  return `bundle/${businessId}/${move_id}/${fence}/${from}/${to}`;
}

/** For the source: a key pair for one bundle, and the ring that seals it for the receiver. */
export function sealFor(receiver: Uint8Array): { publicKey: Uint8Array; ring: KeyRing } {
  const { publicKey, privateKey } = generateKeyPairSync("x25519");
  const own = bytesOf(publicKey);
  return { publicKey: own, ring: agreed(privateKey, receiver, own, receiver) };
}

/** For the target: the ring that opens what `sealFor` sealed. */
export function openFrom(sender: Uint8Array, privateKey: KeyObject): KeyRing {
  return agreed(privateKey, sender, sender, bytesOf(createPublicKey(privateKey)));
}

function agreed(privateKey: KeyObject, other: Uint8Array, sender: Uint8Array, receiver: Uint8Array): KeyRing {
  let secret: Buffer;
  try {
    secret = diffieHellman({ privateKey, publicKey: publicKeyOf(other) });
  } catch (cause) {
    // A point of low order, or no point.
    throw new AppError("conflict", "The key of the move is no X25519 key.", { cause });
  }
  const key = Buffer.from(hkdfSync("sha256", secret, Buffer.concat([sender, receiver]), "prosaas move", 32));
  return KeyRing.parse(`move:${key.toString("base64")}`);
}

/** SubjectPublicKeyInfo of X25519 up to the key itself (RFC 8410). */
const spkiPrefix = Buffer.from("302a300506032b656e032100", "hex");

function publicKeyOf(bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([spkiPrefix, bytes]), format: "der", type: "spki" });
}

function bytesOf(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: "der", type: "spki" }).subarray(spkiPrefix.length));
}
