import { AppError, messageOf } from "../core/errors.ts";
import { backoff } from "../core/retry.ts";
import { sleep } from "../core/time.ts";
import { kvGet } from "./client.ts";
import type { ConsulClient } from "./client.ts";

/*
 * A lock in Consul, held by a session that must be renewed.
 *
 *   holdLock ──acquired──▶ held ◀──────────────┐
 *      │                    │ Consul silent     │ answers, still ours or free
 *      │                    ▼                   │
 *      └─Consul silent─▶ unconfirmed ───────────┘
 *                           │ answers: another holds the key
 *                           ▼
 *                         lost   (onLost; final)
 *
 * Consul being away takes nothing from an owner: only another owner does. Two owners can then overlap while
 * they cannot see each other, so the write path checks the fencing token (the key's LockIndex, which only grows).
 */
export type LockState =
  | "held"
  | "unconfirmed"
  /** This process stood still for longer than its session lives (SIGSTOP, a paused machine): another may own the key by now, and it has to ask first. */
  | "frozen"
  | "lost"
  | "released";

export type HeldLock = {
  readonly state: LockState;
  /** The key's LockIndex when this owner took it. */
  readonly token: number;
  /** The Consul session that holds it; a successor on the same volume destroys it to go on at once. */
  readonly session: string | null;
  release(): Promise<void>;
};

export type LockOptions = {
  consul: ConsulClient;
  key: string;
  /** What a reader of the key learns of the owner, JSON. */
  value: string;
  /** Seconds, 10 to 86,400 (Consul's bounds). A crashed owner's lock is free after at most twice this. */
  ttlS?: number;
  /** A session of a predecessor that is known to be dead: destroyed first. */
  previousSession?: string | null;
  /** The predecessor's token: with it, a Consul that is away at the start leaves the lock `unconfirmed` instead of failing. */
  previousToken?: number | null;
  /** Another owner holds the key. Called once. */
  onLost: (holder: string) => void;
  /** A session is about to ask for the lock: to be written down, since whether it got it may never be heard. */
  onAsking?: (session: string) => void;
  /** The lock was taken: to be written down before it is relied on. */
  onHeld?: (held: { session: string; token: number }) => void;
  onError?: (error: unknown) => void;
};

export class LockHeldElsewhere extends AppError {
  constructor(key: string, holder: string) {
    super("conflict", `The lock ${key} is held by another owner: ${holder}`, { detail: { key, holder } });
  }
}

type Attempt = { held: { session: string; token: number } } | { holder: string; session: string | null };

/** `unheard`: earlier sessions of this owner's of which no answer told whether they took the lock. */
async function attempt(
  { consul, key, value, ttlS = 15, onAsking }: LockOptions,
  unheard: Set<string>,
): Promise<Attempt> {
  const { ID: session } = await consul.api.session.create({
    name: key,
    ttl: `${ttlS}s`,
    behavior: "release",
    lockdelay: "0s",
  });
  onAsking?.(session);
  unheard.add(session);
  const acquired = await consul.api.kv.set({ key, value, acquire: session });
  const entry = await kvGet(consul, key);
  unheard.delete(session);
  if (acquired && entry?.session === session) return { held: { session, token: entry.lockIndex } };
  await consul.api.session.destroy(session);
  if (entry?.session && unheard.has(entry.session)) return { held: { session: entry.session, token: entry.lockIndex } };
  return { holder: entry?.value || entry?.session || "unknown", session: entry?.session ?? null };
}

/**
 * Takes the lock and keeps it until released or lost.
 * @throws LockHeldElsewhere where another owner has it; AppError "unavailable" where Consul is away and there is no predecessor's token.
 */
export async function holdLock(options: LockOptions): Promise<HeldLock> {
  const { consul, key, ttlS = 15, onLost, onHeld, onError } = options;
  const stop = new AbortController();
  let state: LockState = "unconfirmed";
  let token = options.previousToken ?? 0;
  let session: string | null = null;
  let stale: string | null = options.previousSession ?? null;
  const unheard = new Set<string>();

  const take = async (): Promise<Attempt> => {
    if (stale !== null) {
      await consul.api.session.destroy(stale);
      stale = null;
    }
    const result = await attempt(options, unheard);
    if ("held" in result) {
      ({ session, token } = result.held);
      unheard.clear();
      state = "held";
      onHeld?.(result.held);
    }
    return result;
  };

  /** Renews; a session that expired meanwhile is replaced. */
  const confirm = async (): Promise<void> => {
    const former = session;
    if (session !== null) {
      try {
        await consul.api.session.renew(session);
        const entry = await kvGet(consul, key);
        if (entry?.session === session) {
          state = "held";
          return;
        }
      } catch (error) {
        // 404: the session is gone. Anything else: Consul is away, and nothing is known.
        if ((error as { statusCode?: number }).statusCode !== 404) throw error;
      }
      stale = null;
      session = null;
    }
    const result = await take();
    if ("holder" in result) {
      if (former !== null && result.session === former) {
        // A Consul that just came back answers 404 before it has read its log to the end: nobody else holds the key.
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
        `Consul does not answer, so the lock ${key} cannot be taken: ${messageOf(error)}`,
        {
          cause: error,
        },
      );
    }
    onError?.(error);
  }

  // A round begins every few seconds, unless the process stands still; one that is under way is waiting for Consul.
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
    get session() {
      return session;
    },
    release: async () => {
      stop.abort();
      await keeping;
      if (session === null || state === "lost") return;
      state = "released";
      // The key first, so that a successor need not wait for the session to be reaped.
      await consul.api.kv.set({ key, value: options.value, release: session });
      await consul.api.session.destroy(session);
    },
  };
}
