import type { MoveOrder, Placement } from "../../../lib/contracts/shard/moves.ts";

/*
 * What becomes of a business's place on one shard at each order of a mover. Pure.
 *
 *   at the source                                    at the target
 *
 *   (never moved) ──stop──▶ leaving ──tombstone──▶ gone      (never moved) ──take──▶ arriving ──open──▶ here
 *     here ────────stop──────▲  │                              gone ──────────take─────▲   │
 *      ▲                        │                               ▲                          │
 *      └────────reopen──────────┘                               └─────────discard──────────┘
 *
 * A session may be open in "here", and where nothing was ever written down. The fence only grows: an order that was
 * overtaken by a later move, or by the end of its own, changes nothing.
 */
export type Step = "stop" | "bundle" | "tombstone" | "reopen" | "take" | "open" | "discard";

export type Decision =
  /** Write this down first, and do what follows from it. */
  | { becomes: Placement["state"] }
  /** It was written down before: do what follows from it again. */
  | { is: Placement["state"] }
  | { refused: string };

type Present = Pick<Placement, "state" | "move_id" | "fence"> | undefined;
type Order = Pick<MoveOrder, "move_id" | "fence">;

/** From which states each order leads on, and where to. */
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

/** Orders that may follow another of the same move: what the same move began, it may go on with or take back. */
const within: Partial<Record<Step, Placement["state"]>> = {
  tombstone: "leaving",
  reopen: "leaving",
  open: "arriving",
  discard: "arriving",
};

export function decide(step: Step, present: Present, order: Order): Decision {
  const { from, fresh, to, ownMoveOnly } = steps[step];
  if (present === undefined) return fresh ? { becomes: to } : { refused: "nothing of this move was ever begun here" };
  const own = present.move_id === order.move_id && present.fence === order.fence;
  if (own) {
    if (present.state === to) return { is: to };
    if (within[step] === present.state) return { becomes: to };
    return { refused: `in this move the business is already ${present.state} here` };
  }
  if (ownMoveOnly || order.fence <= present.fence) return { refused: `a later move (fence ${present.fence}) was here` };
  return from.includes(present.state) ? { becomes: to } : { refused: `the business is ${present.state} here` };
}
