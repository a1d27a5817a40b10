/** Registers a step that undoes something; steps run in reverse order. */
export type OnStop = (step: () => unknown) => void;

/**
 * Starts several parts as one. `stop` runs the registered steps, the last one first; so does a failure of `start`.
 *
 * @example
 * const rig = await startTogether(async (onStop) => {
 *   const redis = await redisServer(folder);
 *   onStop(() => redis.stop());
 *   return { redis };
 * });
 */
export async function startTogether<T extends object>(
  start: (onStop: OnStop) => Promise<T>,
): Promise<T & { stop(): Promise<void> }> {
  const steps: (() => unknown)[] = [];
  const stop = async () => {
    for (const step of steps.splice(0).toReversed()) await step();
  };
  try {
    return { ...(await start((step) => steps.push(step))), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
