import type { Redis } from "ioredis";
import { answerOf } from "../redis/errors.ts";
import { currentTraceparent } from "../tracing/index.ts";
import { closeQueues, queueOn } from "./connection.ts";
import { jobDefinition } from "./definitions.ts";
import type { JobName, Payload } from "./definitions.ts";
import { jobOptions } from "./job_options.ts";

export type WakeOptions = {
  /** Run a postponed job now. Set it if the blocker of the job has cleared. */
  expedite?: boolean;
};

export type Producer = {
  /**
   * Enqueues a wake-up: a run of `job` for `payload` starts after this call, either soon or when the delay of a
   * postponed run ends. Deduplicates: while a run is pending, further wake-ups are dropped. A wake-up during a run
   * causes one more run, because that run may have read its data before.
   * @throws AppError "unavailable" if Redis cannot be reached or is full. Nothing is lost, because sweeps and journals
   *   repeat the wake-up.
   */
  wake<J extends JobName>(job: J, payload: Payload<J>, options?: WakeOptions): Promise<void>;
  close(): Promise<void>;
};

/** The deduplication key of a wake-up: the job and its payload. */
function deduplicationId<J extends JobName>(job: J, payload: Payload<J>): string {
  const fields = Object.entries(payload).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [job, ...fields.map(([name, value]) => `${name}=${String(value)}`)].join("/");
}

export function createProducer(redis: Redis): Producer {
  return {
    wake: async (job, payload, { expedite = false } = {}) => {
      const { queue, schema } = jobDefinition(job);
      const parsed = schema.parse(payload);
      const trace = currentTraceparent();
      const client = await queueOn(redis, queue);
      const options = {
        ...jobOptions(queue, job),
        /*
         * keepLastIfActive: while a job with this id waits or is delayed, BullMQ drops an add. While it is active,
         * BullMQ stores the add and enqueues it when the active job ends, whatever its outcome. One script decides both
         * atomically, so no wake-up is lost in between.
         */
        deduplication: {
          id: deduplicationId(job, parsed),
          keepLastIfActive: true,
          ...(expedite ? { reschedule: true } : {}),
        },
        // BullMQ's own field for it. Of wake-ups that are deduplicated, the run belongs to the trace of the first.
        ...(trace === undefined ? {} : { telemetry: { metadata: trace } }),
      };
      await answerOf(client.add(job, parsed, options));
    },
    close: () => closeQueues(redis),
  };
}
