import { createProgress, seconds } from "../../stack/progress.ts";
import type { Progress } from "../../stack/progress.ts";

export type StepRecord = { step: string; ms: number };

/** Logs the steps of a command and keeps them for its result. */
export type Report = Progress & {
  readonly steps: readonly StepRecord[];
  /** Milliseconds since the start. */
  elapsedMs(): number;
  /** Runs a step and logs its duration; `work` may return a more precise line than `title`. */
  step(title: string, work: () => Promise<string | void>): Promise<void>;
};

export function createReport(progress: Progress = createProgress()): Report {
  const steps: StepRecord[] = [];
  const began = performance.now();
  return {
    ...progress,
    steps,
    elapsedMs: () => performance.now() - began,
    step: async (title, work) => {
      const start = performance.now();
      progress.waiting(title);
      const line = (await work()) ?? title;
      const ms = Math.round(performance.now() - start);
      steps.push({ step: line, ms });
      progress.done(`${line} (${seconds(ms)})`);
    },
  };
}
