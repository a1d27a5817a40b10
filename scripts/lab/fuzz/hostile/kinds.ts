import { bodyAttacks } from "./attacks/bodies.ts";
import { broadcastAttacks } from "./attacks/broadcasts.ts";
import { carrierAttacks } from "./attacks/carrier.ts";
import { connectionAttacks } from "./attacks/connections.ts";
import { edgeAttacks } from "./attacks/edge.ts";
import { mediaStreamAttacks } from "./attacks/media_stream.ts";
import { messageAttacks } from "./attacks/messages.ts";
import { strangerAttacks } from "./attacks/stranger.ts";
import { uploadAttacks } from "./attacks/uploads.ts";
import type { AttackKind } from "./kind.ts";

/** Every kind of attack. */
export const kinds: readonly AttackKind[] = [
  ...edgeAttacks,
  ...connectionAttacks,
  ...bodyAttacks,
  ...messageAttacks,
  ...broadcastAttacks,
  ...uploadAttacks,
  ...carrierAttacks,
  ...mediaStreamAttacks,
  ...strangerAttacks,
];

export type PlannedKind = AttackKind & { attacks: number };

/** Distributes `total` attacks over the kinds as in a full run, each kind at least once. */
export function planOf(all: readonly AttackKind[], total: number): PlannedKind[] {
  const full = all.reduce((sum, { count }) => sum + count, 0);
  return all.map((one) => ({ ...one, attacks: Math.max(1, Math.round((one.count * total) / full)) }));
}
