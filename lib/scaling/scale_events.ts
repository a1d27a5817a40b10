import { z } from "zod";
import type { Control } from "./control.ts";

/*
 * Nomad keeps the last 20 scaling events of a group. They are the autoscaler's memory: a successor knows from them when
 * the count was changed last, and by whom.
 */

const eventSchema = z.object({
  /** Unix nanoseconds. */
  Time: z.number(),
  Count: z.int().nullable(),
  PreviousCount: z.int(),
  Message: z.string().default(""),
  Meta: z.record(z.string(), z.unknown()).nullish(),
  CreateIndex: z.int().default(0),
});
const statusSchema = z.object({
  TaskGroups: z.record(z.string(), z.object({ Running: z.int(), Events: z.array(eventSchema).nullish() })),
});

export type ScaleEvent = {
  /** Unix time, ms, by Nomad's clock. */
  at: number;
  from: number;
  to: number;
  /** True if the autoscaler set the count: not a command, a person or another program. */
  isAutomatic: boolean;
  reason: string;
  /** Nomad's index of the event. */
  index: number;
};

/** Allocations that run, and the events that set a count, the newest first. */
export type ScaleStatus = { running: number; events: ScaleEvent[] };

/** The mark of the autoscaler's own events. `token`: of the lock under which it decided. */
export const metaOf = (token: number) => ({ autoscaler: token });

/** The groups of GET /v1/job/:id/scale. */
export function parseScaleStatus(body: unknown): Map<string, ScaleStatus> {
  const { TaskGroups } = statusSchema.parse(body);
  return new Map(
    Object.entries(TaskGroups).map(([group, { Running, Events }]) => {
      const events = (Events ?? []).flatMap(({ Time, Count, PreviousCount, Message, Meta, CreateIndex }) =>
        Count === null
          ? []
          : [
              {
                at: Time / 1e6,
                from: PreviousCount,
                to: Count,
                isAutomatic: Meta?.["autoscaler"] !== undefined,
                reason: Message,
                index: CreateIndex,
              },
            ],
      );
      return [group, { running: Running, events: events.toSorted((a, b) => b.index - a.index || b.at - a.at) }];
    }),
  );
}

/** Time since the last change of the count, ms; null if none is known. A clock behind Nomad's yields 0. */
export function lastChangeOf(events: readonly ScaleEvent[], now: number): number | null {
  const last = events.find(({ from, to }) => from !== to);
  return last === undefined ? null : Math.max(0, now - last.at);
}

export type Hold = { count: number; untilMs: number };

/**
 * The hold of a count that a person or a command set, also to what it was: it lasts for `holdMs`, or until
 * `task autoscale -- --resume`. Null if the autoscaler may change the count.
 */
export function holdOf(
  events: readonly ScaleEvent[],
  { holdMs, resumedAt }: { holdMs: number } & Pick<Control, "resumedAt">,
  now: number,
): Hold | null {
  const [last] = events;
  if (last === undefined || last.isAutomatic || last.index <= resumedAt) return null;
  const untilMs = last.at + holdMs;
  return untilMs > now ? { count: last.to, untilMs } : null;
}
