import { messageOf } from "../../../lib/core/errors.ts";
import { within } from "../../../lib/core/time.ts";
import { quoted } from "./finding.ts";
import type { Fault, Finding } from "./finding.ts";

/** A part of the cluster: how to read its facts, and a pure function that judges them. */
export type Part = {
  area: string;
  /** Helps if the facts cannot be read. */
  help: string;
  faults: () => Promise<Fault[]>;
};

export const part = <Facts>(
  area: string,
  help: string,
  read: () => Promise<Facts>,
  judge: (facts: Facts) => Fault[],
): Part => ({ area, help, faults: async () => judge(await read()) });

/** A server without a leader answers after half a minute. */
const readWithinMs = 20_000;

type Unread = { area: string; help: string; message: string };

/** Judges all parts at once. A part whose facts cannot be read is a finding of its own. */
export async function examine(parts: readonly Part[], withinMs = readWithinMs): Promise<Finding[]> {
  const late = () => new Error(`no answer within ${withinMs / 1000} s`);
  const judged = await Promise.all(
    parts.map(async ({ area, help, faults }): Promise<Finding[] | Unread> => {
      try {
        return (await within(withinMs, faults(), late)).map((fault) => ({ ...fault, area }));
      } catch (cause) {
        return { area, help, message: messageOf(cause) };
      }
    }),
  );
  const findings = judged.flatMap((one) => (Array.isArray(one) ? one : []));
  return [...findings, ...unreadFindings(judged.flatMap((one) => (Array.isArray(one) ? [] : one)))];
}

/** One finding for all parts that fail for the same reason, such as a server that does not answer. */
function unreadFindings(unread: readonly Unread[]): Finding[] {
  return [...Map.groupBy(unread, ({ message }) => message)].map(([message, parts]) => {
    const [{ area, help }] = parts as [Unread, ...Unread[]];
    const others = parts.slice(1).map((one) => one.area);
    const what = others.length === 0 ? "It" : `It, and ${others.join(", ")},`;
    return { severity: "unknown", area, found: `${what} could not be read: ${quoted(message, 300)}`, help };
  });
}
