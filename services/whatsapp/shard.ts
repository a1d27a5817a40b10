import { existsSync, readdirSync } from "node:fs";
import { z } from "zod";
import { AppError, messageOf } from "../../lib/core/errors.ts";
import { withinGrace } from "../../lib/core/time.ts";
import type { PacingSettings } from "../../lib/contracts/shard/pacing.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import type { ConnectRequest, SessionAction } from "../../lib/contracts/shard/schemas.ts";
import type { KeyRing } from "../../lib/core/key_ring.ts";
import { archiveStore, purgeArchive } from "./auth/archive.ts";
import type { StoreCopies } from "./copy/store_copies.ts";
import type { ProxyPool } from "../../lib/egress/index.ts";
import type { Placements } from "./moving/placements.ts";
import type { Attempts } from "./receiving/attempts.ts";
import { readAgain } from "./receiving/kept.ts";
import type { KeptMessages } from "./receiving/kept_messages.ts";
import { openMarks } from "./reopening/open_marks.ts";
import { Reopening } from "./reopening/reopening.ts";
import type { ReopeningView } from "./reopening/reopening.ts";
import type { Journal } from "./receiving/journal.ts";
import type { Ledger } from "./sending/ledger.ts";
import { LoopScheduler } from "./sending/loop_scheduler.ts";
import type { DeafnessTimes } from "./session/deafness_detector.ts";
import type { PasskeyTimes } from "./session/passkey/progress.ts";
import { Session } from "./session/session.ts";
import type { ShardMetrics } from "./shard_metrics.ts";
import type { Volume } from "./volume/volume.ts";

export type ShardOptions = {
  volume: Volume;
  keys: KeyRing;
  journal: Journal;
  ledger: Ledger;
  kept: KeptMessages;
  attempts: Attempts;
  placements: Placements;
  /** Copies the auth stores off the volume. Default: they are not copied. */
  storeCopies?: StoreCopies | undefined;
  /** WhatsApp's WebSocket. */
  url: string;
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
  /** The WhatsApp Web version that clients report, as it is configured now; undefined for Baileys' own. */
  waVersion?: (() => string | undefined) | undefined;
  /** Name of linked devices, if a connect names no other. */
  deviceName?: string | undefined;
  /** The egress proxies. Default: none. */
  egress?: ProxyPool | undefined;
  fence: () => void;
  logger: Logger;
  metrics: ShardMetrics;
};

/**
 * Delay between two resumed logins: the CPU time of one login, so that the first ones open while the last ones start.
 */
const staggerMs = 12;
const housekeepingMs = 3_600_000;
/** How long a session that moves away waits for acknowledgements. A message without one is resent under the same id. */
const leaveGraceMs = 2_000;

const businessId = z.uuid();

/** The sessions of the businesses that are assigned to this process. */
export class Shard {
  readonly #options: ShardOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #scheduler = new LoopScheduler();
  readonly #reopening: Reopening;
  #housekeeping: ReturnType<typeof setInterval> | undefined;
  #stopped: string | undefined;

  constructor(options: ShardOptions) {
    this.#options = options;
    this.#reopening = new Reopening(openMarks(options.volume));
    options.metrics.observe({
      sessions: () => this.#sessions.values(),
      journalDepth: () => ({
        inbound: options.journal.depth("inbound"),
        receipts: options.journal.depth("receipts"),
        events: options.journal.depth("events"),
        identities: options.journal.depth("identities"),
      }),
    });
  }

  /** Opens the logins on the volume, one by one. */
  resume(): void {
    const folder = this.#options.volume.file("sessions");
    const mayOpen = (name: string) => businessId.safeParse(name).success && this.#options.placements.isResident(name);
    const found = existsSync(folder) ? readdirSync(folder).filter(mayOpen) : [];
    this.#reopening.start(found);
    for (const [position, id] of found.entries()) this.#session(id).resume(position * staggerMs);
    this.#options.logger.info({ sessions: found.length }, "resuming");
    void this.#readUnread();
    this.#keepHouse();
    this.#housekeeping = setInterval(() => this.#keepHouse(), housekeepingMs);
  }

  get number(): number {
    return this.#options.volume.shard;
  }

  /** How many of the sessions that were open before this process are open again. */
  get reopening(): ReopeningView {
    return this.#reopening.view;
  }

  get messagesPerMinute(): number {
    return this.#options.metrics.messagesPerMinute;
  }

  sessions(): Session[] {
    return [...this.#sessions.values()];
  }

  /** @throws AppError "not_found"; "unavailable" for a business that is moving or has moved. */
  get(id: string): Session {
    this.#options.placements.assertResident(id);
    const session = this.#sessions.get(id);
    if (session === undefined)
      throw new AppError("not_found", `Business ${id} has no session on shard ${this.#options.volume.shard}.`);
    return session;
  }

  connect(id: string, request: ConnectRequest): Session {
    this.#options.fence();
    if (this.#stopped !== undefined) throw new AppError("unavailable", this.#stopped, { retryAfterS: 5 });
    this.#options.placements.assertResident(id);
    const session = this.#session(id);
    const { method, phone, device_name: deviceName, statuses } = request;
    session.control.connect(method === "code" ? { method, phone: phone! } : { method, deviceName });
    if (statuses !== undefined) session.configure({ statuses });
    return session;
  }

  /** Stops, starts or restarts a session without logging out. */
  control(id: string, action: SessionAction): Session {
    this.#options.fence();
    if (this.#stopped !== undefined) throw new AppError("unavailable", this.#stopped, { retryAfterS: 5 });
    const session = this.get(id);
    if (action === "stop") session.control.suspend();
    else if (action === "start") session.control.start();
    else session.control.restart();
    return session;
  }

  /** Logs a business out and removes its session. */
  async logout(id: string): Promise<void> {
    const session = this.get(id);
    await session.logout();
    this.#sessions.delete(id);
  }

  isPaired(id: string): boolean {
    return this.#sessions.get(id)?.paired ?? false;
  }

  /** Closes a session that moves away, without logging out, and removes it. */
  async leave(id: string): Promise<void> {
    await this.#sessions.get(id)?.leave(leaveGraceMs);
    this.#sessions.delete(id);
    this.#reopening.left(id);
  }

  /** Opens a login that has just arrived on the volume. Does nothing if it is known already. */
  admit(id: string): void {
    if (this.#stopped === undefined && !this.#sessions.has(id)) this.#session(id).resume(0);
  }

  /** Another client version was configured: sessions that WhatsApp refused for the old one log in at once. */
  versionChanged(): void {
    for (const session of this.#sessions.values()) session.versionChanged();
  }

  /** Waits at most `graceMs` for messages in flight, then closes all sessions without logging out. */
  async stop(reason: string, graceMs: number): Promise<void> {
    this.#stopped = reason;
    clearInterval(this.#housekeeping);
    const sessions = this.sessions();
    await withinGrace(graceMs, Promise.all(sessions.map((session) => session.drained())));
    await Promise.all(sessions.map((session) => session.stop(reason)));
  }

  #session(id: string): Session {
    const known = this.#sessions.get(id);
    if (known) return known;
    const { volume, keys, ledger, journal, url, logger, metrics, paced, platformPacing, fence, attempts } =
      this.#options;
    const session = new Session({
      businessId: id,
      shard: volume.shard,
      storePath: volume.file("sessions", id, "auth.db"),
      storeCopy: this.#options.storeCopies?.of("sessions", id),
      keys,
      ledger,
      journal,
      kept: this.#options.kept,
      unavailableAfterMs: this.#options.unavailableAfterMs,
      attempts,
      scheduler: this.#scheduler,
      url,
      logger,
      metrics,
      paced,
      platformPacing,
      deafness: this.#options.deafness,
      passkeyTimes: this.#options.passkeyTimes,
      patienceMs: this.#options.patienceMs,
      waitScale: this.#options.waitScale,
      loginIntervalMs: this.#options.loginIntervalMs,
      waVersion: this.#options.waVersion,
      egress: this.#options.egress,
      deviceName: this.#options.deviceName,
      onState: (state, event) => this.#reopening.entered(id, state, event),
      fence,
      archiveStore: () => {
        archiveStore(volume.file("sessions"), volume.file("set-aside"), id);
        this.#options.storeCopies?.removed("sessions", id);
      },
    });
    this.#sessions.set(id, session);
    return session;
  }

  /** Journals kept messages whose kind this version knows: an earlier one did not. */
  async #readUnread(): Promise<void> {
    const { kept, journal, placements, logger } = this.#options;
    for (const id of kept.unreadOf()) {
      if (!placements.isResident(id)) continue;
      try {
        const messages = await readAgain(kept, id, (data) => journal.append("inbound", id, data));
        if (messages > 0)
          logger.info({ business_id: id, messages }, "messages of kinds that were unknown are read now");
      } catch (error) {
        logger.error({ business_id: id, error: messageOf(error) }, "unread messages could not be decoded again");
      }
    }
  }

  #keepHouse(): void {
    const { volume, ledger, kept, logger } = this.#options;
    purgeArchive(volume.file("set-aside"));
    ledger.purge().catch((error: unknown) => logger.error({ error }, "the ledger could not be purged"));
    kept.purge().catch((error: unknown) => logger.error({ error }, "kept messages could not be purged"));
  }
}
