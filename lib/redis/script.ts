import type { Redis } from "ioredis";
import { createHash } from "node:crypto";
import { toRedisError } from "./errors.ts";

/** A Lua script that runs inside Redis as one step. Throws "unavailable" where Redis cannot be reached; whether it ran is then not known. */
export type Script = (redis: Redis, keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/** A script that is sent by its hash, and once by its text to a server that does not know it yet. */
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
