/**
 * Random numbers, the same for the same seed. Ours because attacks draw while they run, which arbitraries of fast-check
 * do not support.
 */
export type Random = { below(n: number): number; pick<T>(items: readonly T[]): T; chance(part: number): boolean };

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number) => Math.floor(next() * n);
  return { below, pick: (items) => items[below(items.length)]!, chance: (part) => next() < part };
}
