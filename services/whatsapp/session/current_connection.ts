import { messageOf } from "../../../lib/core/errors.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import { announceKnown } from "../accounts/announce_known.ts";
import type { AuthState } from "../auth/auth_state.ts";
import { keptFor } from "../receiving/kept.ts";
import { History } from "../receiving/history.ts";
import { Placeholders } from "../receiving/placeholders.ts";
import type { Statuses } from "../receiving/statuses.ts";
import { ContactSalt } from "../sending/contact_salt.ts";
import type { Cooldowns } from "../sending/cooldowns.ts";
import { Timers } from "../sending/timers.ts";
import { Connection } from "./connection.ts";
import { connectionEvents } from "./connection_events.ts";
import type { ConnectionEvents, ConnectionOptions } from "./connection_options.ts";
import { GarbleWatch } from "./garble_watch.ts";
import type { Login } from "./login.ts";
import type { SessionOptions } from "./session_options.ts";
import type { Event, Pairing } from "./states.ts";
import { storeFault } from "./store_faults.ts";
import { OwnershipUnconfirmed } from "../volume/owner.ts";
import { UnacknowledgedStanzas } from "./unacknowledged_stanzas.ts";

type Options = SessionOptions & {
  logger: Logger;
  login: Login;
  dispatch: (event: Event) => void;
  onOpened: (connection: Connection) => void;
  onAcknowledged: ConnectionEvents["acknowledged"];
  onRestricted: ConnectionEvents["restricted"];
  cooldowns: Cooldowns;
  statuses: Statuses;
  standing: ConnectionOptions["standing"];
  /** A connection ended that had reported another client version than the one configured now. */
  onOutdated: () => void;
};

/** The connection that a session has now, if it has one. */
export class CurrentConnection {
  readonly #options: Options;
  readonly #garble = new GarbleWatch();
  readonly #unacknowledged = new UnacknowledgedStanzas();
  #connection: Connection | undefined;
  #lastInboundAt: number | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  get(): Connection | undefined {
    return this.#connection;
  }

  /** Time of the last frame from WhatsApp, Unix ms, on this connection or an earlier one. */
  get lastInboundAt(): number | undefined {
    return this.#connection?.lastInboundAt ?? this.#lastInboundAt;
  }

  open(pairing: Pairing | undefined): void {
    const { login, logger, dispatch } = this.#options;
    const store = login.load();
    if (store === undefined) return;
    try {
      // A process that was suspended may have a successor, whose connection this one would replace.
      this.#options.fence();
      const auth = login.renewAuth(store);
      this.#connection = this.#create(auth, new Placeholders(store), pairing);
    } catch (error) {
      logger.error({ error: messageOf(error) }, "a connection could not be started");
      // Otherwise the socket could not be created, most likely because of the address.
      dispatch(error instanceof OwnershipUnconfirmed ? storeFault(error) : { is: "ended", code: 500 });
    }
  }

  /** Closes the connection without logging out. Resolves when it is closed. */
  async drop(): Promise<void> {
    const connection = this.#connection;
    this.forget();
    await connection?.drop();
  }

  /** The connection is over. */
  forget(): void {
    this.#lastInboundAt = this.lastInboundAt;
    this.#connection = undefined;
    this.#options.login.revoke();
  }

  #announceNames({ accounts }: Connection): void {
    const { login, journal, businessId, logger } = this.#options;
    if (login.store === undefined) return;
    announceKnown(login.store, accounts, (names) => journal.append("identities", businessId, { names })).catch(
      (error: unknown) => logger.warn({ error: messageOf(error) }, "the known names of accounts were not announced"),
    );
  }

  #create(auth: AuthState, placeholders: Placeholders, pairing: Pairing | undefined): Connection {
    const { kept, unavailableAfterMs, passkeyTimes } = this.#options;
    const { businessId, url, ledger, attempts, deafness, journal, metrics, login, logger, waVersion } = this.#options;
    const version = waVersion?.();
    const proxyUrl = this.#options.egress?.urlOf({ id: businessId, shard: this.#options.shard });
    const sentMessage = (waMessageId: string) => ledger.body(businessId, waMessageId);
    return new Connection({
      businessId,
      url,
      proxyUrl,
      deviceName: pairing?.method === "code" ? undefined : (pairing?.deviceName ?? this.#options.deviceName),
      version,
      auth,
      placeholders,
      history: new History({ businessId, store: () => login.store, keys: auth.keys, logger, proxyUrl }),
      timers: new Timers({ store: () => login.store, keys: auth.keys }),
      statuses: this.#options.statuses,
      contactSalt: new ContactSalt(() => login.store),
      attempts,
      deafness,
      passkeyTimes,
      handoff: pairing?.handoff,
      pairingPhone: pairing?.method === "code" ? pairing.phone : undefined,
      cooldowns: this.#options.cooldowns,
      sentMessage,
      sentTo: (waMessageId) => ledger.sentTo(businessId, waMessageId),
      setRecipients: (waMessageId, recipients) => ledger.setRecipients(businessId, waMessageId, recipients),
      handedAt: (waMessageId) => ledger.handedAt(businessId, waMessageId),
      kept: keptFor(businessId, kept, sentMessage),
      unavailableAfterMs,
      standing: this.#options.standing,
      logger,
      events: connectionEvents({
        businessId,
        journal,
        metrics,
        logger,
        dispatch: this.#options.dispatch,
        onPaired: () => {
          login.syncPairing();
          login.refresh(auth);
        },
        onOpened: () => {
          login.refresh(auth);
          this.#options.dispatch({ is: "opened" });
          if (this.#connection === undefined) return;
          this.#options.onOpened(this.#connection);
          this.#announceNames(this.#connection);
        },
        onEnded: () => {
          if (version !== waVersion?.()) this.#options.onOutdated();
        },
        onAcknowledged: this.#options.onAcknowledged,
        onRestricted: this.#options.onRestricted,
        garble: this.#garble,
        unacknowledged: this.#unacknowledged,
      }),
    });
  }
}
