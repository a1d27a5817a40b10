import type { Redis } from "ioredis";
import { answerOf } from "../redis/errors.ts";
import { closeQueues, queueOn } from "./connection.ts";
import { jobDefinition } from "./definitions.ts";
import type { JobName, Payload } from "./definitions.ts";
import { jobOptions } from "./job_options.ts";

export type WakeOptions = {
  /** Also end the wait of a run that was postponed: for whoever knows that its obstacle is gone. */
  expedite?: boolean;
};

export type Producer = {
  /**
   * Makes sure that a run of `job` for `payload` begins after this call (soon, or when the delay of a postponed
   * one is over). Wake-ups that a run still to come would serve are dropped, so a thousand of them cost a run or
   * two; one that arrives during a run causes one more run, because that run may have read before.
   * @throws AppError "unavailable" where Redis cannot be reached or is full; nothing is lost then, because sweeps and
   *   journals wake again.
   */
  wake<J extends JobName>(job: J, payload: Payload<J>, options?: WakeOptions): Promise<void>;
  close(): Promise<void>;
};

/** What makes two wake-ups the same: the job and its payload. */
export function deduplicationId<J extends JobName>(job: J, payload: Payload<J>): string {
  const fields = Object.entries(payload).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [job, ...fields.map(([name, value]) => `${name}=${String(value)}`)].join("/");
}

export function createProducer(redis: Redis): Producer {
  return {
    wake: async (job, payload, { expedite = false } = {}) => {
      const { queue, schema } = jobDefinition(job);
      const parsed = schema.parse(payload);
      const client = await queueOn(redis, queue);
      const options = {
        ...jobOptions(queue, job),
        /*
         * keepLastIfActive: while a job of this id waits or is delayed, an add is dropped; while it is active, the
         * add is kept aside and becomes a job when the active one ends, however it ends. Both are decided inside
         * BullMQ's one script, so there is no moment in which a wake-up can fall between.
         */
        deduplication: {
          id: deduplicationId(job, parsed),
          keepLastIfActive: true,
          ...(expedite ? { reschedule: true } : {}),
        },
      };
      await answerOf(client.add(job, parsed, options));
    },
    close: () => closeQueues(redis),
  };
}
