import type { Redis } from "ioredis";
import { randomToken } from "../core/secret.ts";
import { answerOf } from "./errors.ts";

/** A claim on a key that expires. Only its token can renew or release it. */
export type Lease = {
  readonly key: string;
  readonly token: string;
  /** Restarts the time to live. False: the lease expired, and another may hold it. */
  renew(): Promise<boolean>;
  release(): Promise<void>;
};

/* KEYS[1] the lease · ARGV[1] its token · ARGV[2] time to live in ms → 1 renewed, 0 no longer ours */
const renewScript = `
if redis.call("GET", KEYS[1]) == ARGV[1] then
  return redis.call("PEXPIRE", KEYS[1], ARGV[2])
end
return 0`;

/* KEYS[1] the lease · ARGV[1] its token → 1 released, 0 no longer ours */
const releaseScript = `
if redis.call("GET", KEYS[1]) == ARGV[1] then
  return redis.call("DEL", KEYS[1])
end
return 0`;

/**
 * Takes the lease for `ttlMs` milliseconds; null if another holds it.
 * @throws AppError "unavailable" if Redis cannot be reached or is full.
 */
export async function acquireLease(redis: Redis, key: string, ttlMs: number): Promise<Lease | null> {
  const token = randomToken(16);
  const taken = await answerOf(redis.set(key, token, "PX", ttlMs, "NX"));
  if (taken !== "OK") return null;
  return {
    key,
    token,
    renew: async () => (await redis.eval(renewScript, 1, key, token, ttlMs)) === 1,
    release: async () => {
      await redis.eval(releaseScript, 1, key, token);
    },
  };
}
