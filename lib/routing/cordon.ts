/**
 * The Consul key with the cordoned shards: those whose node is drained. They keep their businesses and get no other:
 * neither at a first connect nor by a move. A JSON array of shard numbers.
 */
export const cordonKey = "prosaas/whatsapp/cordon";

/** Numbers of shards have at most five digits. */
const longest = 10_000;

/** Parses the cordoned shards; null for any other text. */
export function parseCordon(text: string): readonly number[] | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const isShard = (one: unknown) => Number.isInteger(one) && (one as number) >= 1 && (one as number) <= 99_999;
  return Array.isArray(value) && value.length <= longest && value.every(isShard) ? (value as number[]) : null;
}
