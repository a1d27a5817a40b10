import { TtlCache } from "./ttl_cache.ts";

/** Devices whose retries are recorded over one connection. The least recent is dropped beyond, and gets a session. */
const devices = 500;
/** As many messages as a lane has in flight: the most that one loss of sessions makes undecryptable at once. */
const maxResent = 100;
/** A device requests messages again within seconds. A later request is about another loss. */
const ttlMs = 10 * 60_000;

/**
 * Decides whether messages that a device could not decrypt require a new Signal session. A device that has lost its
 * sessions requests each message in flight again, and offers keys for a session with each request. One session serves
 * all: a device keeps the last 40, so that more would make messages undecryptable that wait under an earlier one.
 */
export class RetrySessions {
  /** The messages that were sent again under the present session of each device, by its address. */
  readonly #resent = new TtlCache(devices, ttlMs);

  /**
   * Records messages that are sent again under the device's present session. Returns false if they need a new one: the
   * session was not created for a retry, or one of them failed under it.
   */
  recordResend(address: string, messageIds: readonly string[]): boolean {
    const resent = this.#resent.get<Set<string>>(address);
    if (resent === undefined || messageIds.length === 0) return false;
    if (resent.size + messageIds.length > maxResent || messageIds.some((id) => resent.has(id))) return false;
    for (const id of messageIds) resent.add(id);
    return true;
  }

  /** Records the messages for which a session was created. */
  recordSession(address: string, messageIds: readonly string[]): void {
    this.#resent.set(address, new Set(messageIds.slice(0, maxResent)));
  }

  forget(address: string): void {
    this.#resent.del(address);
  }
}
