import { AppError, messageOf } from "../../../lib/core/errors.ts";
import type { CallOrder, DialledCall } from "../../../lib/contracts/calls/index.ts";
import type { DialOrders } from "../state/dial_orders.ts";
import type { Carrier } from "../twilio/rest.ts";
import { newCallState, takeSlot } from "./core.ts";
import type { Core } from "./core.ts";
import type { PublicUrls } from "./instructions.ts";

/** Seconds that a call may ring. Shorter than the lease of its slot, which is not renewed before it rings. */
const ringS = 45;

export type DialOptions = { carrier: Pick<Carrier, "dial">; urls: PublicUrls; orders: DialOrders };

/** Dials a call. With a key it is idempotent: a repeated order returns the call that was dialled before. */
export async function dialOnce(core: Core, options: DialOptions, order: CallOrder, key?: string): Promise<DialledCall> {
  const { business_id: businessId, from, to } = order;
  if (key === undefined) return { call_sid: await dialCall(core, options, order), status: "queued", replayed: false };
  const dialOrder = { businessId, from, to, key };
  const before = await options.orders.claim(dialOrder);
  if (before !== null) return { call_sid: before, status: "queued", replayed: true };
  let callSid: string;
  try {
    callSid = await dialCall(core, options, order);
  } catch (error) {
    if (!mayHaveBeenDialled(error)) await options.orders.release(dialOrder);
    throw error;
  }
  // If this fails, a repeated order gets a conflict and dials no second call.
  await options.orders.dialled(dialOrder, callSid).catch((error: unknown) => {
    core.logger.warn({ error: messageOf(error), call_sid: callSid }, "cannot store the call of an idempotency key");
  });
  return { call_sid: callSid, status: "queued", replayed: false };
}

/**
 * Takes a slot, then asks the carrier to dial. Returns the call's sid.
 * @throws CallRefused if no slot is free.
 * @throws AppError "not_found" if `from` is not a number of the business, and the errors of `authorizeDial`.
 */
async function dialCall(
  core: Core,
  { carrier, urls }: DialOptions,
  { business_id: businessId, from, to }: CallOrder,
): Promise<string> {
  if (core.draining())
    throw new AppError("unavailable", "This replica is stopping and takes no new calls. Retry.", { retryAfterS: 1 });
  const { line } = await core.lines.find(from, "");
  if (line === undefined || line.business_id !== businessId) {
    throw new AppError("not_found", "`from` is not a number of the business. Use one of its own numbers.");
  }

  // The carrier assigns the sid later. Until then a reservation id of ours holds the slot.
  const reservation = crypto.randomUUID();
  const nowMs = await takeSlot(core, { callSid: reservation, line });
  let callSid: string;
  try {
    // After the slot, so that retries of a call that finds none do not consume the daily limit.
    await core.authorizeDial({ line, to });
    callSid = await carrier.dial({
      from,
      to,
      url: urls.voice(reservation),
      fallbackUrl: urls.fallback,
      statusUrl: urls.status,
      ringS,
    });
  } catch (error) {
    // A call that may be ringing keeps its slot until the lease expires.
    if (!mayHaveBeenDialled(error)) await core.capacity.release({ callSid: reservation, businessId }).catch(() => {});
    throw error;
  }
  try {
    const { call, isNew } = await core.store.begin(
      newCallState({ callSid, direction: "outbound", from, to, status: "queued" }, line, nowMs),
    );
    if (isNew) core.publish("call.started", call);
    await takeSlot(core, { callSid, line, reservation });
  } catch (error) {
    // The telephone is ringing, and an error would make the client retry. The call is stored when it is answered.
    core.logger.warn({ error: messageOf(error), call_sid: callSid }, "cannot store the dialled call yet");
  }
  core.logger.info({ call_sid: callSid, business_id: businessId }, "call dialled");
  return callSid;
}

function mayHaveBeenDialled(error: unknown): boolean {
  return error instanceof AppError && error.code === "upstream_timeout";
}
