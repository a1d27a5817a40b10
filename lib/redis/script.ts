import type { Redis } from "ioredis";
import { createHash } from "node:crypto";
import { toRedisError } from "./errors.ts";

/**
 * A Lua script that runs in Redis atomically.
 * @throws AppError "unavailable" if Redis cannot be reached. The script may have run all the same.
 */
export type Script = (redis: Redis, keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/**
 * Sends a script by its hash, and by its text only to a server that does not know it yet. ioredis' `defineCommand` does
 * the same, but adds a method to each connection that every caller has to declare; this function takes any connection.
 */
export function createScript(lua: string): Script {
  const sha = createHash("sha1").update(lua).digest("hex");
  return async (redis, keys, args) => {
    try {
      return await redis.evalsha(sha, keys.length, ...keys, ...args).catch((error: unknown) => {
        if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
        return redis.eval(lua, keys.length, ...keys, ...args);
      });
    } catch (error) {
      throw toRedisError(error);
    }
  };
}
