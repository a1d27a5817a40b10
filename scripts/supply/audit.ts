import { join } from "node:path";
import { z } from "zod";
import { resultCommand } from "../cli/arguments.ts";
import { acceptedAdvisories } from "./accepted.ts";
import type { AcceptedAdvisory } from "./accepted.ts";

/*
 * task audit, and part of the static step: asks the registry for advisories on the packages of bun.lock. Exits 1 if
 * there is one that is not accepted, and with `notChecked` if the registry does not answer: a machine without it can
 * neither pass nor fail this check.
 */

/** The exit code of a check that could not be made (EX_TEMPFAIL). */
export const notChecked = 75;

/** Longer than a slow registry takes. The other static checks run beside it. */
const timeoutMs = 20_000;

const report = z.record(
  z.string(),
  z.array(z.object({ url: z.string(), title: z.string(), severity: z.string(), vulnerable_versions: z.string() })),
);
export type Report = z.output<typeof report>;

/** The JSON of `bun audit --json`; null for any other output, as of a registry that has no advisories. */
export function parseReport(output: string): Report | null {
  try {
    return report.parse(JSON.parse(output));
  } catch {
    return null;
  }
}

/** Advisories that are not accepted, and acceptances that have ended or are no longer needed. */
export function judgeReport(
  found: Report,
  accepted: readonly AcceptedAdvisory[] = acceptedAdvisories,
  today = new Date().toISOString().slice(0, 10),
): string[] {
  const all = Object.entries(found).flatMap(([name, advisories]) => advisories.map((one) => ({ name, ...one })));
  const covers = (entry: AcceptedAdvisory, { name, url }: { name: string; url: string }) =>
    entry.package === name && entry.url === url;
  const open = all
    .filter((one) => !accepted.some((entry) => covers(entry, one) && entry.until > today))
    .map(({ name, title, severity, vulnerable_versions, url }) => {
      const ended = accepted.some((entry) => entry.package === name && entry.url === url);
      const note = ended ? "; its acceptance has ended" : "";
      return `${name} ${vulnerable_versions}, ${severity}: ${title} (${url})${note}`;
    });
  const unused = accepted
    .filter((entry) => !all.some((one) => covers(entry, one)))
    .map(({ package: name, url }) => `${url} does not apply to ${name} any more: remove it from accepted.ts`);
  return [...open, ...unused];
}

if (import.meta.main) {
  const { json } = resultCommand(
    "audit",
    `Ask the registry for advisories on the packages of bun.lock.

Exits 1 if one is open. scripts/supply/accepted.ts lists those that do no harm here, with the reasons.
Exits ${notChecked} if the registry gives none, as one without this service does: then nothing is known.`,
  )
    .parse()
    .opts();
  const child = Bun.spawn([process.execPath, "audit", "--json"], {
    cwd: join(import.meta.dir, "../.."),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  const found = parseReport(stdout);
  if (found === null) {
    const why = stderr.trim().split("\n").at(-1) || stdout.trim().slice(0, 200) || "no answer in time";
    console.error(`the registry gave no advisories: ${why}`);
    if (json) console.log(JSON.stringify({ checked: false, why }));
    process.exit(notChecked);
  }
  const faults = judgeReport(found);
  for (const fault of faults) console.error(fault);
  if (json) console.log(JSON.stringify({ checked: true, open: faults, accepted: acceptedAdvisories }));
  else if (faults.length === 0) console.log(`No advisory is open; ${acceptedAdvisories.length} are accepted.`);
  process.exit(faults.length > 0 ? 1 : 0);
}
