/** Nanoseconds that each call took; the clock's own cost (about 30 ns) is in them. */
export type Timing = { p50: number; p99: number };

/**
 * Times `calls` calls one by one, after as many that are not timed: the first ones run code that is not compiled yet.
 */
export function timeEach(calls: number, call: (n: number) => unknown): Timing {
  let kept: unknown;
  for (let n = 0; n < calls; n++) kept = call(n);
  const took = new Float64Array(calls);
  for (let n = 0; n < calls; n++) {
    const before = Bun.nanoseconds();
    kept = call(n);
    took[n] = Bun.nanoseconds() - before;
  }
  // Looked at, so that no compiler may leave the calls out.
  if (kept === undefined) throw new Error("nothing was measured");
  return timingOf(took);
}

export async function timeEachAsync(calls: number, call: (n: number) => Promise<unknown>): Promise<Timing> {
  const took = new Float64Array(calls);
  for (let n = -Math.ceil(calls / 10); n < calls; n++) {
    const before = Bun.nanoseconds();
    await call(n);
    if (n >= 0) took[n] = Bun.nanoseconds() - before;
  }
  return timingOf(took);
}

function timingOf(took: Float64Array): Timing {
  took.sort();
  const at = (q: number) => Math.round(took[Math.ceil(q * took.length) - 1]!);
  return { p50: at(0.5), p99: at(0.99) };
}
