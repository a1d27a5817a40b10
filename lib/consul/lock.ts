import { AppError, messageOf } from "../core/errors.ts";
import { backoff } from "../core/retry.ts";
import { sleep } from "../core/time.ts";
import { kvGet } from "./client.ts";
import type { ConsulClient } from "./client.ts";

/*
 * A lock in Consul, held by a session that must be renewed.
 *
 *   holdLock ──acquired──▶ held ◀──────────────┐
 *      │                    │ no answer         │ answers, still ours or free
 *      │                    ▼                   │
 *      └───no answer───▶ unconfirmed ───────────┘
 *                           │ answers: another holds the key
 *                           ▼
 *                         lost   (onLost; final)
 *
 * An outage of Consul never takes the lock from its owner; only another owner does. During an outage two owners can
 * therefore overlap, so the write path checks the fencing token: the key's LockIndex, which only grows.
 */
export type LockState =
  | "held"
  | "unconfirmed"
  /**
   * This process was suspended for longer than its session's TTL (SIGSTOP, a paused machine). Another owner may hold
   * the key, so the lock counts for nothing until Consul confirms it.
   */
  | "frozen"
  | "lost"
  | "released";

export type HeldLock = {
  readonly state: LockState;
  /** The key's LockIndex when this owner took it. */
  readonly token: number;
  /** When Consul last confirmed the lock: the time of the request, in `performance.now()`; null before the first. */
  readonly confirmedAt: number | null;
  /** The Consul session that holds it. A successor on the same volume destroys it to take the lock at once. */
  readonly session: string | null;
  release(): Promise<void>;
};

export type LockOptions = {
  consul: ConsulClient;
  key: string;
  /** JSON that describes the owner to readers of the key. */
  value: string;
  /** Seconds, 10 to 86,400 (Consul's bounds); default 15. Consul frees a crashed owner's lock after at most double. */
  ttlS?: number;
  /** The session of a predecessor that is known to be dead. It is destroyed first. */
  previousSession?: string | null;
  /** The predecessor's token. With it, an outage of Consul at the start yields an `unconfirmed` lock, not an error. */
  previousToken?: number | null;
  /** Called once, when another owner holds the key. */
  onLost: (holder: string) => void;
  /** Called before a session requests the lock. Persist the session: the answer may be lost. */
  onAsking?: (session: string) => void;
  /** Called when the lock was acquired. Persist the session and token before relying on them. */
  onHeld?: (held: { session: string; token: number }) => void;
  onError?: (error: unknown) => void;
};

export class LockHeldElsewhere extends AppError {
  constructor(key: string, holder: string) {
    super("conflict", `The lock ${key} is held by another owner: ${holder}`, { detail: { key, holder } });
  }
}

const defaultTtlS = 15;

type Attempt = { held: { session: string; token: number } } | { holder: string; session: string | null };

/** Requests the lock with a new session. `unanswered`: earlier sessions of this owner whose answers were lost. */
async function attempt(
  { consul, key, value, ttlS = defaultTtlS, onAsking }: LockOptions,
  unanswered: Set<string>,
): Promise<Attempt> {
  const { ID: session } = await consul.api.session.create({
    name: key,
    ttl: `${ttlS}s`,
    behavior: "release",
    lockdelay: "0s",
  });
  onAsking?.(session);
  unanswered.add(session);
  const acquired = await consul.api.kv.set({ key, value, acquire: session });
  const entry = await kvGet(consul, key);
  unanswered.delete(session);
  if (acquired && entry?.session === session) return { held: { session, token: entry.lockIndex } };
  await consul.api.session.destroy(session);
  if (entry?.session && unanswered.has(entry.session))
    return { held: { session: entry.session, token: entry.lockIndex } };
  return { holder: entry?.value || entry?.session || "unknown", session: entry?.session ?? null };
}

/**
 * Takes the lock and keeps it until it is released or lost.
 * @throws LockHeldElsewhere if another owner holds it.
 * @throws AppError "unavailable" if Consul is unavailable and there is no predecessor's token.
 */
export async function holdLock(options: LockOptions): Promise<HeldLock> {
  const { consul, key, ttlS = defaultTtlS, onLost, onHeld, onError } = options;
  const stop = new AbortController();
  let state: LockState = "unconfirmed";
  let token = options.previousToken ?? 0;
  let session: string | null = null;
  let stale: string | null = options.previousSession ?? null;
  const unanswered = new Set<string>();
  let confirmedAt: number | null = null;

  const take = async (): Promise<Attempt> => {
    if (stale !== null) {
      await consul.api.session.destroy(stale);
      stale = null;
    }
    const askedAt = performance.now();
    const result = await attempt(options, unanswered);
    if ("held" in result) {
      ({ session, token } = result.held);
      unanswered.clear();
      state = "held";
      confirmedAt = askedAt;
      onHeld?.(result.held);
    }
    return result;
  };

  /** Renews the session, or replaces it if it expired. */
  const confirm = async (): Promise<void> => {
    const former = session;
    const askedAt = performance.now();
    if (session !== null) {
      try {
        await consul.api.session.renew(session);
        const entry = await kvGet(consul, key);
        if (entry?.session === session) {
          state = "held";
          confirmedAt = askedAt;
          return;
        }
      } catch (error) {
        // 404: the session is gone. Any other error: Consul is unavailable and the owner is unknown.
        if ((error as { statusCode?: number }).statusCode !== 404) throw error;
      }
      stale = null;
      session = null;
    }
    const result = await take();
    if ("holder" in result) {
      if (former !== null && result.session === former) {
        // A restarted Consul answers 404 until it has replayed its log. No other session holds the key.
        session = former;
        state = "held";
        return;
      }
      state = "lost";
      stop.abort();
      onLost(result.holder);
    }
  };

  try {
    const first = await take();
    if ("holder" in first) throw new LockHeldElsewhere(key, first.holder);
  } catch (error) {
    if (error instanceof LockHeldElsewhere) throw error;
    if (options.previousToken == null) {
      throw new AppError(
        "unavailable",
        `Consul is unavailable, so the lock ${key} cannot be taken: ${messageOf(error)}`,
        { cause: error },
      );
    }
    onError?.(error);
  }

  // A round starts every few seconds unless the process is suspended. Null: a round is in flight, waiting for Consul.
  let roundEndedAt: number | null = performance.now();
  let frozen = false;
  const isFrozen = (): boolean => (frozen ||= roundEndedAt !== null && performance.now() - roundEndedAt > ttlS * 1000);

  const keep = async () => {
    let failures = 0;
    while (!stop.signal.aborted) {
      const pause = failures > 0 ? backoff({ attempt: failures, baseMs: 250, maxMs: 3000 }) : (ttlS * 1000) / 3;
      try {
        await sleep(state === "held" || failures > 0 ? pause : 250, stop.signal);
        isFrozen();
        roundEndedAt = null;
        await confirm();
        frozen = false;
        failures = 0;
      } catch (error) {
        if (stop.signal.aborted) return;
        failures += 1;
        state = "unconfirmed";
        onError?.(error);
      } finally {
        roundEndedAt = performance.now();
      }
    }
  };
  const keeping = keep();

  return {
    get state() {
      return state !== "lost" && state !== "released" && isFrozen() ? "frozen" : state;
    },
    get token() {
      return token;
    },
    get confirmedAt() {
      return confirmedAt;
    },
    get session() {
      return session;
    },
    release: async () => {
      stop.abort();
      await keeping;
      if (session === null || state === "lost") return;
      state = "released";
      // Release the key first, so that a successor does not wait until Consul reaps the session.
      await consul.api.kv.set({ key, value: options.value, release: session });
      await consul.api.session.destroy(session);
    },
  };
}
