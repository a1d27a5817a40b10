import type { ProxyPool } from "../../../lib/egress/index.ts";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import type { StoreCopy } from "../auth/auth_store.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { PacingSettings } from "../../../lib/contracts/shard/pacing.ts";
import type { Attempts } from "../receiving/attempts.ts";
import type { KeptMessages } from "../receiving/kept_messages.ts";
import type { Journal } from "../receiving/journal.ts";
import type { Ledger } from "../sending/ledger.ts";
import type { LoopScheduler } from "../sending/loop_scheduler.ts";
import type { ShardMetrics } from "../shard_metrics.ts";
import type { DeafnessTimes } from "./deafness_detector.ts";
import type { PasskeyTimes } from "./passkey/progress.ts";
import type { Event, State } from "./states.ts";

export type SessionOptions = {
  businessId: string;
  shard: number;
  /** Path of the auth store. */
  storePath: string;
  /** Copies the auth store off the volume. */
  storeCopy?: StoreCopy | undefined;
  keys: KeyRing;
  ledger: Ledger;
  journal: Journal;
  kept: KeptMessages;
  /** Shared by the sessions of the shard. */
  attempts: Attempts;
  /** Shared by the sessions of the shard. */
  scheduler: LoopScheduler;
  /** WhatsApp's WebSocket. */
  url: string;
  logger: Logger;
  metrics: ShardMetrics;
  /** True if accounts are paced by default, if the business has no setting. */
  paced: boolean;
  /** The platform's own limits, as they are now. */
  platformPacing?: (() => PacingSettings) | undefined;
  /** When a silent connection is probed. */
  deafness?: DeafnessTimes | undefined;
  /** How long the steps of a link with a passkey may take. */
  passkeyTimes?: PasskeyTimes | undefined;
  /** Milliseconds until a message that cannot be prepared may fail. */
  patienceMs?: number | undefined;
  /** Multiplies the waits after WhatsApp's temporary refusals. */
  waitScale?: number | undefined;
  /** Least milliseconds between two logins on request. Default: ten seconds. */
  loginIntervalMs?: number | undefined;
  /** Milliseconds until a message without content is journaled as unavailable. */
  unavailableAfterMs?: number | undefined;
  /** The WhatsApp Web version that the client reports; undefined for Baileys' own. */
  waVersion?: (() => string | undefined) | undefined;
  /** Name of the linked device, if a connect names no other. Default: a plain one. */
  deviceName?: string | undefined;
  /** The egress proxies. Default: none. */
  egress?: ProxyPool | undefined;
  /** Called when the session has entered a state, before its actions. */
  onState?: ((state: State, event: Event) => void) | undefined;
  /** Throws if this process no longer owns the shard. */
  fence: () => void;
  /** Moves the auth store to the archive; it is closed by then. */
  archiveStore: () => void;
};
