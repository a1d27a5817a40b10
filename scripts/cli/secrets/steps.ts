import { valuesOf } from "../../stack/secret_values.ts";

/**
 * The steps of a rotation. Each writes the values, and is complete once no process reads the former ones:
 *
 *   accept    the new value stands beside the old one; every service that checks it accepts both
 *   present   the new value is the first; clients present it, and key rings seal under it
 *   promote   the carrier signs with the new value
 *   retire    the old value is removed
 *
 * `prosaas/secrets` names the step that was started, so that an interrupted rotation goes on where it was.
 */
export type Step = "accept" | "present" | "promote" | "retire";

/** The steps that are left. The one that was started comes first again: an interruption may have left half of it. */
export function stepsLeft(steps: readonly Step[], started: Step | null): readonly Step[] {
  return started === null ? steps : steps.slice(Math.max(0, steps.indexOf(started)));
}

/** The values of a secret after a step; the same for a step that is made again. */
export function valuesAfter(step: Step, started: Step | null, secret: string, makeNext: () => string): string {
  const values = valuesOf(secret);
  const [first, ...others] = values;
  if (step === started || step === "promote") return secret;
  if (step === "retire") return first!;
  if (step === "accept") return [first!, makeNext(), ...others].join(",");
  if (started === "accept") return [...values.slice(1, 2), first!, ...values.slice(2)].join(",");
  return [makeNext(), ...values].join(",");
}
