import type { Redis } from "ioredis";
import { answerOf } from "./errors.ts";

/** Returns how full a Redis server is: bytes used over `maxmemory`, 0 without a limit. */
export async function memoryFill(redis: Redis): Promise<number> {
  const lines = (await answerOf(redis.info("memory"))).split("\r\n");
  const valueOf = (field: string) =>
    Number(lines.find((line) => line.startsWith(`${field}:`))?.slice(field.length + 1) ?? 0);
  const max = valueOf("maxmemory");
  return max === 0 ? 0 : valueOf("used_memory") / max;
}
