import { messageOf } from "../../../lib/core/errors.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Journal } from "../receiving/journal.ts";
import type { ShardMetrics } from "../shard_metrics.ts";
import type { ConnectionEvents } from "./connection_options.ts";
import type { GarbleWatch } from "./garble_watch.ts";
import type { Event } from "./states.ts";
import type { UnacknowledgedStanzas } from "./unacknowledged_stanzas.ts";

type Options = {
  businessId: string;
  journal: Journal;
  metrics: ShardMetrics;
  logger: Logger;
  garble: GarbleWatch;
  unacknowledged: UnacknowledgedStanzas;
  dispatch: (event: Event) => void;
  /** Called before the event is dispatched. */
  onPaired: () => void;
  onOpened: () => void;
  /** Called after the event was dispatched. */
  onEnded: () => void;
  onAcknowledged: ConnectionEvents["acknowledged"];
  onRestricted: ConnectionEvents["restricted"];
};

/** Translates what a connection reports into journal entries, metrics and events of the session's state machine. */
export function connectionEvents({
  businessId,
  journal,
  metrics,
  logger,
  garble,
  unacknowledged,
  dispatch,
  ...on
}: Options): ConnectionEvents {
  return {
    shown: (show, value, expiresAt) => dispatch({ is: "shown", show, value, expiresAt }),
    passkey: (progress, handoff) => {
      metrics.passkeyStep(progress.step);
      dispatch({ is: "passkey", progress, handoff });
    },
    passkeyFailed: (reason) => {
      metrics.passkeyStep("failed");
      dispatch({ is: "passkey_failed", reason });
    },
    paired: () => {
      on.onPaired();
      dispatch({ is: "paired" });
    },
    opened: on.onOpened,
    codeRefused: (code) => dispatch({ is: "code_refused", code }),
    ended: (end) => {
      if (end.stanza !== undefined) {
        logger.warn({ stanza: end.stanza }, "WhatsApp misses an acknowledgement");
        if (unacknowledged.recurs(end.stanza)) {
          logger.error({ alarm: true, stanza: end.stanza }, "WhatsApp ends each connection over the same stanza");
          metrics.alarm();
        }
      }
      dispatch({ is: "ended", ...end });
      on.onEnded();
    },
    acknowledged: on.onAcknowledged,
    restricted: on.onRestricted,
    received: async (message) => {
      garble.decrypted();
      await journal.append("inbound", businessId, message);
      metrics.received();
    },
    receipt: (receipt) => journal.append("receipts", businessId, receipt),
    statusReceived: async (status) => {
      await journal.append("events", businessId, status);
      metrics.status("received");
    },
    statusDropped: () => metrics.status("dropped"),
    identified: (names) => journal.append("identities", businessId, { names }),
    unavailable: async (message) => {
      await journal.append("inbound", businessId, message);
      metrics.unavailable();
    },
    quarantined: async (message) => {
      metrics.quarantined();
      if (message !== undefined) await journal.append("inbound", businessId, message);
    },
    unknownStanza: (name) => {
      if (!metrics.unknownStanza(name)) return;
      logger.error({ alarm: true, stanza: name }, "WhatsApp sent a stanza of an unknown type");
      metrics.alarm();
    },
    stanzaFailed: (tag) => metrics.stanzaFailed(tag),
    deaf: (heard) => {
      metrics.deaf();
      dispatch({ is: "deaf", heard });
    },
    undecryptable: (failure) => {
      metrics.undecryptable();
      if (garble.failed(failure)) dispatch({ is: "garbled" });
    },
    undecryptableDropped: () => metrics.undecryptableDropped(),
    volumeFailed: (error) =>
      dispatch({ is: "volume_failed", reason: `the shard's volume does not accept writes: ${messageOf(error)}` }),
  };
}
