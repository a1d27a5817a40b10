/** The samplers of OTEL_TRACES_SAMPLER. */
export const samplers = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
export type SamplerName = (typeof samplers)[number];

/**
 * Traces per second, and at once, that callers may have sampled beyond the ratio. All callers of a process share them:
 * a request is sampled before it is known whose it is.
 */
const callersShare = { perSecond: 1, burst: 10 };

export type Sampler = {
  /** Decides about a trace that starts here. */
  takesNew(): boolean;
  /** Decides about a trace that a caller outside the platform started. `sampled`: the caller's flag. */
  takesCallers(sampled: boolean): boolean;
};

/**
 * Creates a sampler. It draws by chance and not by trace id, because a caller chooses the id of its trace. A
 * parent-based sampler leaves out what the caller left out, and takes what the caller took while the callers' share
 * lasts; beyond that the ratio decides. The others ignore the caller's flag.
 */
export function createSampler(
  name: SamplerName,
  ratio: number,
  { random = Math.random, now = () => performance.now() }: { random?: () => number; now?: () => number } = {},
): Sampler {
  const share = name.endsWith("always_on") ? 1 : name.endsWith("always_off") ? 0 : ratio;
  const takesNew = () => random() < share;
  if (!name.startsWith("parentbased_")) return { takesNew, takesCallers: takesNew };
  const { perSecond, burst } = callersShare;
  let [left, at] = [burst, now()];
  const takesShare = () => {
    const time = now();
    left = Math.min(burst, left + ((time - at) / 1_000) * perSecond);
    at = time;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
  return { takesNew, takesCallers: (sampled) => sampled && (takesNew() || takesShare()) };
}
