import type { Change } from "./command.ts";
import { nameOf } from "../../../lib/scaling/index.ts";
import { planHold } from "./hold.ts";
import { awaitCount, readCount, readGroup, refusalOf, setCount, wantedAllocations } from "./job_group.ts";
import type { Deadlines, JobGroup } from "./job_group.ts";
import type { Target } from "./target.ts";

/** Plans the count of a group of interchangeable allocations: workers, calls, api. */
export async function scaleStateless(
  target: Target,
  where: JobGroup,
  count: number,
  deadlines: Deadlines,
): Promise<Change> {
  const group = await readGroup(target, where);
  const now = group.Count;
  const running = (await wantedAllocations(target, where)).filter(
    ({ ClientStatus }) => ClientStatus === "running",
  ).length;
  const name = nameOf(where);
  const hold = await planHold(target, where, count);
  const isSet = now === count && hold === null;
  const plan = [
    ...(now === count ? [] : [`set the count of ${name} from ${now} to ${count}`]),
    ...(hold === null ? [] : [hold]),
    ...(now === count && running === count
      ? []
      : [`wait until ${count} run and pass their checks and no other one is left`]),
  ];
  return {
    what: now === count ? `${name}: ${count}` : `${name}: ${now} → ${count}`,
    plan,
    refusal: refusalOf(group, where, count),
    apply: async (report) => {
      if (!isSet) {
        await report.step(`asked for ${count} of ${name}`, () => setCount(target, where, count, report, deadlines));
      }
      await report.step(`${count} of ${name} run and pass their checks`, () =>
        awaitCount(target, where, count, report, { until: "settled", ...deadlines }),
      );
    },
    state: async () => ({
      [name]: {
        count: await readCount(target, where),
        running: (await wantedAllocations(target, where)).filter(({ ClientStatus }) => ClientStatus === "running")
          .length,
      },
    }),
  };
}
