import type { Redis } from "ioredis";
import { toRedisError } from "./errors.ts";

/**
 * Returns the run_id of the server behind a connection. It changes with every restart and failover. It is read once
 * per connection, because a connection does not outlive its server.
 */
export function serverIdentity(redis: Redis): () => Promise<string> {
  let known: Promise<string> | undefined;
  redis.on("close", () => (known = undefined));
  return () => {
    if (known) return known;
    const asked = askRunId(redis);
    known = asked;
    asked.catch(() => {
      if (known === asked) known = undefined;
    });
    return asked;
  };
}

async function askRunId(redis: Redis): Promise<string> {
  const info = await redis.info("server").catch((error: unknown) => {
    throw toRedisError(error);
  });
  const runId = /^run_id:([0-9a-f]+)/m.exec(info)?.[1];
  if (runId === undefined) throw new Error("Redis did not return its run_id. Allow the user INFO server.");
  return runId;
}
