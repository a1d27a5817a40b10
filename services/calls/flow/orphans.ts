import { messageOf } from "../../../lib/core/errors.ts";
import type { CallState } from "../state/call.ts";
import type { Carrier } from "../twilio/rest.ts";
import type { Core } from "./core.ts";
import type { PublicUrls } from "./instructions.ts";
import { repeatedly } from "./repeatedly.ts";
import { maxFruitless } from "./resume.ts";

/** Replicas save the calls that they carry every 2 s (streams/carried.ts). */
const orphanedAfterMs = 8_000;

const checkMs = 2_000;

/** Above the calls that can become orphans, or end, between two checks. */
const batch = 200;

export type OrphanOptions = {
  carrier: Pick<Carrier, "redirect">;
  urls: Pick<PublicUrls, "action">;
};

/**
 * Finds calls that no replica carries although the carrier has not asked how to continue, and has the carrier ask. A
 * replica that is frozen, or whose node is cut off or without power, closes no connection, and the edge notices nothing
 * while the caller's audio flows in; the caller would hear silence for minutes. Returns a check to run every `checkMs`.
 */
export function createOrphanCheck(core: Core, { carrier, urls }: OrphanOptions): () => Promise<void> {
  /** Since when checks have reached Redis, by performance.now(). Without Redis no replica saves its calls. */
  let reachedSince: number | null = null;

  const redirect = async (call: CallState): Promise<void> => {
    const { call_sid: callSid, stream, step, fruitless } = call;
    // Only one replica redirects a call; a failed redirect is repeated while the call stays broken.
    const tries = step === "broken" ? { fruitless: fruitless + 1 } : {};
    const claim = { step: "broken", stream_sid: null, replica: null, ...tries } as const;
    if (!(await core.store.changeFrom(call, claim)).changed) return;
    core.logger.warn(
      { call_sid: callSid, stream, replica: call.replica },
      "a call has lost its replica; redirecting it",
    );
    core.metrics.orphaned();
    await carrier.redirect(callSid, urls.action(stream)).catch((error: unknown) => {
      core.logger.warn({ call_sid: callSid, error: messageOf(error) }, "the carrier did not redirect the call");
    });
  };

  return async () => {
    const startedAt = performance.now();
    const silent = await core.store.stale(orphanedAfterMs, batch, "newest").catch((error: unknown) => {
      reachedSince = null;
      throw error;
    });
    reachedSince ??= startedAt;
    if (startedAt - reachedSince < orphanedAfterMs) return;
    for (const { callSid, heardAt } of silent) {
      const { call } = await core.store.read(callSid);
      if (call === null || !isOrphan(call)) continue;
      // Its replica may have saved it in between. A save after this line changes the version that `redirect` claims.
      if ((await core.store.heardAt(callSid)) === heardAt) await redirect(call);
    }
  };
}

/** A call whose redirects bring no audio is left to the sweep. */
function isOrphan({ step, fruitless }: CallState): boolean {
  return step === "streaming" || (step === "broken" && fruitless < maxFruitless);
}

/** Checks until the signal aborts. */
export function keepCheckingOrphans(core: Core, options: OrphanOptions, signal: AbortSignal): Promise<void> {
  const failure = "the check for orphaned calls failed";
  return repeatedly(createOrphanCheck(core, options), { everyMs: checkMs, signal, logger: core.logger, failure });
}
