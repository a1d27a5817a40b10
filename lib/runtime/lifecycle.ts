import { messageOf } from "../core/errors.ts";
import type { Logger } from "./log.ts";

/*
 *  starting ──main returns──▶ running ──SIGTERM / SIGINT / fail()──▶ stopping ──all closed──▶ exit
 *                                                                      └──second signal──▶ exit 130
 */
export type Lifecycle = {
  readonly name: string;
  /** Aborts when the service starts to stop. Loops and long polls end by it. */
  readonly stopping: AbortSignal;
  /** Registers a cleanup. Cleanups run in reverse order of registration, one after the other. */
  onStop(label: string, close: () => unknown): void;
  /** Stops the service after a fatal error. The process exits 1. */
  fail(error: unknown): void;
};

export type LifecycleController = Lifecycle & {
  /** Runs all cleanups, last registered first. Reports a cleanup that throws, and runs the others all the same. */
  stop(): Promise<{ failures: number }>;
};

/** Creates a lifecycle without signals and exits. `run` adds those; tests use it alone. */
export function createLifecycle(
  name: string,
  report: (label: string, error: unknown) => void = () => {},
  onFail: (error: unknown) => void = () => {},
): LifecycleController {
  const closers: { label: string; close: () => unknown }[] = [];
  const abort = new AbortController();
  let stopped: Promise<{ failures: number }> | undefined;

  const closeAll = async () => {
    abort.abort(new Error(`${name} is stopping`));
    let failures = 0;
    for (let closer = closers.pop(); closer; closer = closers.pop()) {
      try {
        await closer.close();
      } catch (error) {
        failures += 1;
        report(closer.label, error);
      }
    }
    return { failures };
  };

  return {
    name,
    stopping: abort.signal,
    onStop: (label, close) => void closers.push({ label, close }),
    fail: onFail,
    stop: () => (stopped ??= closeAll()),
  };
}

export type RunOptions = {
  /**
   * True if an uncaught error affects only a part of the service, which then logs it and continues. For libraries that
   * leave rejected promises unhandled: otherwise one tenant's would stop the service for all.
   */
  survives?: (error: unknown) => boolean;
};

/**
 * Runs a service. `main` builds it and registers its cleanups; a signal runs them and exits 0. A second signal exits at
 * once. An uncaught error is logged and stops the service with exit code 1.
 */
export async function run(
  name: string,
  logger: Logger,
  main: (life: Lifecycle) => Promise<void>,
  options: RunOptions = {},
): Promise<void> {
  let exitCode = 0;
  let signals = 0;
  const stop = async (reason: string) => {
    logger.info({ reason }, "stopping");
    const { failures } = await life.stop();
    logger.info({ failures }, "stopped");
    process.exit(exitCode || (failures > 0 ? 1 : 0));
  };
  const fail = (error: unknown) => {
    logger.error({ error: error instanceof Error ? error : new Error(messageOf(error)) }, "failed");
    exitCode = 1;
    void stop("failure");
  };
  const life = createLifecycle(name, (label, error) => logger.error({ error, label }, "cleanup failed"), fail);
  const onSignal = (signal: string) => {
    signals += 1;
    if (signals > 1) process.exit(130);
    void stop(signal);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  const onUncaught = (error: unknown) => {
    if (options.survives?.(error))
      logger.warn({ error: messageOf(error) }, "uncaught error in one part of the service; continuing");
    else fail(error);
  };
  process.on("uncaughtException", onUncaught);
  process.on("unhandledRejection", onUncaught);
  try {
    await main(life);
    logger.info("started");
  } catch (error) {
    // A stop interrupts the waits of a start.
    if (life.stopping.aborted && error === life.stopping.reason) return;
    fail(error);
  }
}
