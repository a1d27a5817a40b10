import type { Part, Stage } from "./stage.ts";

/** An alert, with those of its labels that distinguish it from the same alert of another fault. */
export type Expected = { alert: string; labels?: (stage: Stage) => Record<string, string> };

/** A fault of the platform and the alerts that it has to raise. */
export type Fault = {
  name: string;
  alerts: readonly Expected[];
  needs: readonly Part[];
  /** Injected when every other fault is repaired. */
  alone?: boolean;
  /** Resolves once the fault is there, with its repair. */
  inject(stage: Stage): Promise<() => Promise<unknown>>;
};
