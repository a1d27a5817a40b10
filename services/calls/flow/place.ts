import { AppError, messageOf } from "../../../lib/core/errors.ts";
import type { CallOrder, PlacedCall } from "../../../lib/contracts/calls/index.ts";
import type { Placings } from "../state/placings.ts";
import type { Carrier } from "../twilio/rest.ts";
import { placedCall, takeSlot } from "./core.ts";
import type { Core } from "./core.ts";
import type { PublicUrls } from "./instructions.ts";

/** How long a call may ring, s: below the lease of its slot, which nobody renews until it rings or is answered. */
const ringS = 45;

export type PlaceOptions = { carrier: Carrier; urls: PublicUrls; placings: Placings };

/** Places a call, or says which call was placed when the same was ordered before under the same key. */
export async function placeCallOnce(
  core: Core,
  options: PlaceOptions,
  order: CallOrder,
  key?: string,
): Promise<PlacedCall> {
  const { business_id: businessId, from, to } = order;
  if (key === undefined) return { call_sid: await placeCall(core, options, order), status: "queued", replayed: false };
  const placing = { businessId, from, to, key };
  const before = await options.placings.begin(placing);
  if (before !== null) return { call_sid: before, status: "queued", replayed: true };
  let callSid: string;
  try {
    callSid = await placeCall(core, options, order);
  } catch (error) {
    if (!mayHaveBeenPlaced(error)) await options.placings.forget(placing);
    throw error;
  }
  // Where this fails, the same order again is told that the call may have been placed, and places none.
  await options.placings.placed(placing, callSid).catch((error: unknown) => {
    core.logger.warn(
      { error: messageOf(error), call_sid: callSid },
      "it could not be remembered which call an order placed",
    );
  });
  return { call_sid: callSid, status: "queued", replayed: false };
}

/**
 * Places a call for a business, in a slot that is taken before the carrier is asked; gives the call's sid. Throws
 * CallRefused where there is no slot, "not_found" where the number is not the business's, and what authorizeDial throws.
 */
async function placeCall(
  core: Core,
  { carrier, urls }: PlaceOptions,
  { business_id: businessId, from, to }: CallOrder,
): Promise<string> {
  if (core.draining())
    throw new AppError("unavailable", "This replica is stopping and takes no new calls; ask again.", {
      retryAfterS: 1,
    });
  const { line } = await core.lines.find(from, "");
  if (line === undefined || line.business_id !== businessId) {
    throw new AppError("not_found", "The business has no such number; `from` must be one of its own.");
  }

  // The call has no sid before the carrier gives it one: its slot is held under a name of ours until then.
  const reservation = crypto.randomUUID();
  const nowMs = await takeSlot(core, { callSid: reservation, line });
  let callSid: string;
  try {
    // After the slot: a call that finds none, and is ordered again and again, uses up nothing of the day's.
    await core.authorizeDial({ line, to });
    callSid = await carrier.placeCall({
      from,
      to,
      url: urls.voice(reservation),
      fallbackUrl: urls.fallback,
      statusUrl: urls.status,
      ringS,
    });
  } catch (error) {
    // A call that may be ringing keeps its slot until the lease runs out.
    if (!mayHaveBeenPlaced(error)) await core.capacity.release({ callSid: reservation, businessId }).catch(() => {});
    throw error;
  }
  try {
    const { call, isNew } = await core.store.begin(
      placedCall({ callSid, direction: "outbound", from, to, status: "queued" }, line, nowMs),
    );
    if (isNew) core.tell("call.started", call);
    await takeSlot(core, { callSid, line, reservation });
  } catch (error) {
    // The telephone rings, and an error would have whoever ordered it order it again: it is written down when it is answered.
    core.logger.warn(
      { error: messageOf(error), call_sid: callSid },
      "a call was placed and could not be written down yet",
    );
  }
  core.logger.info({ call_sid: callSid, business_id: businessId }, "call placed");
  return callSid;
}

function mayHaveBeenPlaced(error: unknown): boolean {
  return error instanceof AppError && error.code === "upstream_timeout";
}
