import { TtlCache } from "./ttl_cache.ts";

const devices = 500;
const maxResent = 500;
const ttlMs = 10 * 60_000;

/**
 * Decides whether a message that a device could not decrypt requires a new Signal session. A device that has lost its
 * sessions requests each message in flight again, and offers keys for a session with each request. One session serves
 * all: a device keeps the last 40, so that more would make messages undecryptable that wait under an earlier one.
 */
export class RetrySessions {
  /** The messages that were sent again under the present session of each device, by its address. */
  readonly #resent = new TtlCache(devices, ttlMs);

  /** Records a message that is sent again. Returns true if a session has to be created for it. */
  needsNew(address: string, messageId: string): boolean {
    const resent = this.#resent.get<Set<string>>(address);
    if (resent !== undefined && !resent.has(messageId) && resent.size < maxResent) {
      resent.add(messageId);
      return false;
    }
    this.#resent.set(address, new Set([messageId]));
    return true;
  }
}
