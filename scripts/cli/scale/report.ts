import { createProgress, seconds } from "../../stack/progress.ts";
import type { Progress } from "../../stack/progress.ts";

export type StepRecord = { step: string; ms: number };

/** What a command did, told as it goes and kept for its result. */
export type Report = Progress & {
  readonly steps: readonly StepRecord[];
  /** Milliseconds since the command began. */
  elapsedMs(): number;
  /** Does a piece of work and says so with the time it took; `work` may give a line that says more than `title`. */
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
      const told = (await work()) ?? title;
      const ms = Math.round(performance.now() - start);
      steps.push({ step: told, ms });
      progress.done(`${told} (${seconds(ms)})`);
    },
  };
}
