import { messageOf } from "../core/errors.ts";
import type { Logger } from "./log.ts";

/*
 *  starting ──main returns──▶ running ──SIGTERM / SIGINT / fail()──▶ stopping ──all closed──▶ exit
 *                                                                      └──second signal──▶ exit 130
 */
export type Lifecycle = {
  readonly name: string;
  /** Aborts when the service begins to stop: loops and long polls end by it. */
  readonly stopping: AbortSignal;
  /** Registers what is to be closed; closed in reverse order of registration, each awaited. */
  onStop(label: string, close: () => unknown): void;
  /** Stops the service because it cannot go on; the process exits 1. */
  fail(error: unknown): void;
};

export type LifecycleController = Lifecycle & {
  /** Closes everything, last registered first. A closer that throws is reported and the others still run. */
  stop(): Promise<{ failures: number }>;
};

/** A lifecycle without signals or exits: what `run` uses, and what tests use by themselves. */
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
   * Whether something that nobody caught concerns a part of the service only: it is logged and the service goes on.
   * For libraries that leave promises behind, where one tenant's would otherwise stop all.
   */
  survives?: (error: unknown) => boolean;
};

/**
 * Runs a service: `main` builds it and registers what must be closed; a signal closes it all and exits 0.
 * A second signal exits at once. What nobody caught is logged and ends the process with 1.
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
  const life = createLifecycle(name, (label, error) => logger.error({ error, label }, "could not be closed"), fail);
  const onSignal = (signal: string) => {
    signals += 1;
    if (signals > 1) process.exit(130);
    void stop(signal);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  const onUncaught = (error: unknown) => {
    if (options.survives?.(error))
      logger.warn({ cause: messageOf(error) }, "nobody caught this, and the service goes on");
    else fail(error);
  };
  process.on("uncaughtException", onUncaught);
  process.on("unhandledRejection", onUncaught);
  try {
    await main(life);
    logger.info("started");
  } catch (error) {
    fail(error);
  }
}
