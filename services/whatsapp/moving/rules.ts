import type { MoveOrder, Placement } from "../../../lib/contracts/shard/moves.ts";

/*
 * The state of a business on one shard, and its transition at each order of a mover. Pure.
 *
 *   at the source                                    at the target
 *
 *   (never moved) ──stop──▶ leaving ──tombstone──▶ gone      (never moved) ──take──▶ arriving ──open──▶ here
 *     here ────────stop──────▲  │                              gone ──────────take─────▲   │
 *      ▲                        │                               ▲                          │
 *      └────────reopen──────────┘                               └─────────discard──────────┘
 *
 * A session may be open in "here", and if no move was ever recorded. The fence only grows: an order that was
 * overtaken by a later move, or by the end of its own move, changes nothing.
 */
export type Step = "stop" | "bundle" | "tombstone" | "reopen" | "take" | "open" | "discard";

export type Decision =
  /** Record this state first, then execute the effects. */
  | { becomes: Placement["state"] }
  /** Recorded before: execute the effects again. */
  | { is: Placement["state"] }
  | { refused: string };

type Present = Pick<Placement, "state" | "move_id" | "fence"> | undefined;
type Order = Pick<MoveOrder, "move_id" | "fence">;

/** The states in which each order applies, and its result. */
const steps: Record<
  Step,
  { from: readonly Placement["state"][]; fresh: boolean; to: Placement["state"]; ownMoveOnly: boolean }
> = {
  stop: { from: ["here", "leaving"], fresh: true, to: "leaving", ownMoveOnly: false },
  bundle: { from: ["leaving"], fresh: false, to: "leaving", ownMoveOnly: true },
  tombstone: { from: ["leaving"], fresh: false, to: "gone", ownMoveOnly: true },
  reopen: { from: ["here", "leaving"], fresh: true, to: "here", ownMoveOnly: false },
  take: { from: ["gone", "arriving"], fresh: true, to: "arriving", ownMoveOnly: false },
  open: { from: ["arriving"], fresh: false, to: "here", ownMoveOnly: true },
  discard: { from: ["gone", "arriving"], fresh: true, to: "gone", ownMoveOnly: false },
};

/** Orders that may follow another of the same move, to continue it or to roll it back. */
const within: Partial<Record<Step, Placement["state"]>> = {
  tombstone: "leaving",
  reopen: "leaving",
  open: "arriving",
  discard: "arriving",
};

export function decide(step: Step, present: Present, order: Order): Decision {
  const { from, fresh, to, ownMoveOnly } = steps[step];
  if (present === undefined) return fresh ? { becomes: to } : { refused: "this move never began here" };
  const own = present.move_id === order.move_id && present.fence === order.fence;
  if (own) {
    if (present.state === to) return { is: to };
    if (within[step] === present.state) return { becomes: to };
    return { refused: `in this move the business is already ${present.state} here` };
  }
  if (ownMoveOnly || order.fence <= present.fence) return { refused: `a later move (fence ${present.fence}) was here` };
  return from.includes(present.state) ? { becomes: to } : { refused: `the business is ${present.state} here` };
}
