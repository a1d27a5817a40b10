import type { Logger } from "../../../lib/runtime/log.ts";
import type { AccountName, InboundData, ReceiptData, StatusData } from "../../../lib/contracts/shard/schemas.ts";
import type { AuthState } from "../auth/auth_state.ts";
import type { Kept } from "../receiving/kept.ts";
import type { Attempts } from "../receiving/attempts.ts";
import type { History } from "../receiving/history.ts";
import type { Placeholders } from "../receiving/placeholders.ts";
import type { Statuses } from "../receiving/statuses.ts";
import type { Standing } from "../pacing/standing.ts";
import type { ContactSalt } from "../sending/contact_salt.ts";
import type { Cooldowns } from "../sending/cooldowns.ts";
import type { Timers } from "../sending/timers.ts";
import type { DeafnessTimes } from "./deafness_detector.ts";
import type { End } from "./ends.ts";
import type { GarbleSender } from "./garble_watch.ts";
import type { Handoff, PasskeyProgress, PasskeyTimes } from "./passkey/progress.ts";
import type { AckRefusal } from "./ack_refusal.ts";

/** The events of one connection. None follows `ended`, and none follows a call of `drop`. */
export type ConnectionEvents = {
  /** A QR code to scan or a pairing code to enter, valid until `expiresAt` (Unix ms). */
  shown(show: "qr" | "code", value: string, expiresAt: number): void;
  /** WhatsApp refused to issue a pairing code. */
  codeRefused(code: number): void;
  /** The link requires a passkey: a step of it began, or its challenge was renewed. */
  passkey(progress: PasskeyProgress, handoff: Handoff): void;
  /** The link with a passkey failed. */
  passkeyFailed(reason: string): void;
  /** A phone has linked this login; the credentials are saved. */
  paired(): void;
  opened(): void;
  ended(end: End): void;
  /** WhatsApp restricted the account, or lifted a restriction. */
  restricted(change: Partial<Standing>): void;
  /** WhatsApp's server accepted a message, or refused it with a code. */
  acknowledged(waMessageId: string, refusal?: AckRefusal): void;
  /** Resolves once the message is durable. The acknowledgement to WhatsApp waits for it. */
  received(message: InboundData): Promise<void>;
  receipt(receipt: ReceiptData): Promise<void>;
  /** A contact's status. Resolves once it is durable. */
  statusReceived(status: StatusData): Promise<void>;
  /** A contact's status exceeded a share. */
  statusDropped(): void;
  /** Names of accounts were learned. */
  identified(names: AccountName[]): Promise<void>;
  /** A message without content. Resolves once it is durable. */
  unavailable(message: InboundData): Promise<void>;
  /** Content was quarantined: the process died while decoding it. `message`: its envelope, if it belongs to a chat. */
  quarantined(message: InboundData | undefined): Promise<void>;
  /** WhatsApp sent a stanza of a type that is not in the ledger (protocol.ts). */
  unknownStanza(name: string): void;
  /** A listener threw while handling a stanza. */
  stanzaFailed(tag: string): void;
  /** The connection is open and delivers nothing. `heard`: whether it delivered anything earlier. */
  deaf(heard: boolean): void;
  undecryptable(failure: GarbleSender): void;
  /** An undecryptable message exceeded its sender's share, and was dropped without a record. */
  undecryptableDropped(): void;
  /** Received data could not be made durable. */
  volumeFailed(error: unknown): void;
};

export type ConnectionOptions = {
  businessId: string;
  url: string;
  /** Name of the device on the phone. Default: a plain one. */
  deviceName?: string | undefined;
  /** The HTTP proxy through which the socket goes. It holds credentials. */
  proxyUrl?: string | undefined;
  auth: AuthState;
  placeholders: Placeholders;
  history: History;
  timers: Timers;
  statuses: Statuses;
  attempts: Attempts;
  kept: Kept;
  /** The WhatsApp Web version that the client reports, such as "2.3000.1". Default: Baileys' own. */
  version?: string | undefined;
  /** The phone number to pair by code. Without it the login is paired by QR. */
  pairingPhone?: string | undefined;
  /** The plaintext of a message that this business sent, for a phone that could not decrypt it. */
  sentMessage: (waMessageId: string) => Uint8Array | undefined;
  /** The chat of a message that this business sent through the API; of a group message, the number of members. */
  sentTo: (waMessageId: string) => { chat: string; recipients: number | null } | undefined;
  /** Records the number of members that a group message is about to be sent to. */
  setRecipients: (waMessageId: string, recipients: number) => Promise<void>;
  /** When a message was first handed to a session of this business, Unix ms. */
  handedAt: (waMessageId: string) => number | undefined;
  /** The salt of the tokens for new contacts, if the phone has shared it. */
  contactSalt: ContactSalt;
  cooldowns: Cooldowns;
  /** WhatsApp's restrictions of the account, as they were last read. */
  standing: () => Standing | undefined;
  logger: Logger;
  events: ConnectionEvents;
  deafness?: DeafnessTimes | undefined;
  /** Milliseconds until a message without content is journaled as unavailable. */
  unavailableAfterMs?: number | undefined;
  /** From an earlier connection, whose link with a passkey this one continues. */
  handoff?: Handoff | undefined;
  passkeyTimes?: PasskeyTimes | undefined;
  /** Milliseconds until a code is shown or the login is open. */
  connectDeadlineMs?: number;
};

/** The connection, as its parts see it. */
export type ConnectionControl = {
  isOver(): boolean;
  /** Runs `handle` unless the connection is over. */
  unlessOver(handle: () => void): void;
  /** Cuts the socket before anything else is acknowledged, because received data could not be made durable. */
  failVolume(error: unknown): void;
  /** Holds back the frames sent after this call until `durable` resolves. */
  holdOutput(durable: Promise<void>): void;
  end(code: number): void;
  /** Ends the connection with 408 if no frame arrived since this time, Unix ms. */
  endIfSilentSince(at: number): void;
  /** Ends the connection with 408 unless it progresses within `ms`. Replaces the earlier deadline. */
  endUnlessBy(ms: number): void;
};
