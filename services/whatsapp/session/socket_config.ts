import { jidNormalizedUser, proto } from "@whiskeysockets/baileys";
import type { makeWASocket, WABrowserDescription } from "@whiskeysockets/baileys";
import type { Agent } from "node:https";
import { plainDeviceName } from "../../../lib/contracts/shard/device_name.ts";
import { waVersionParts } from "../../../lib/contracts/shard/wa_version.ts";
import type { AccountBook } from "../accounts/account_book.ts";
import { ownJidsOf } from "../codec/jid.ts";
import type { Intake } from "../receiving/intake.ts";
import type { SyncAction } from "../sending/contact_salt.ts";
import type { Relay } from "../sending/relay.ts";
import { appStateFetch } from "./app_state_fetch.ts";
import { baileysLog } from "./baileys_log.ts";
import { patientDelay } from "./patient_delay.ts";
import type { ConnectionControl, ConnectionOptions } from "./connection_options.ts";
import { durableRepository } from "./signal_repository.ts";
import { TtlCache } from "./ttl_cache.ts";

export const keepAliveMs = 25_000;
/** For answers that no caller of ours awaits for a shorter time. */
export const queryTimeoutMs = 20_000;
/** Name, browser and version of a linked device. Phones list the name; the browser chooses the icon. */
export const browser: WABrowserDescription = [plainDeviceName, "Chrome", "22.04.4"];
const minuteMs = 60_000;

type Parts = { intake: Intake; relay: Relay; control: ConnectionControl; accounts: AccountBook };

/** Baileys' settings for one connection. */
export function socketConfig(
  { url, proxyUrl, deviceName, auth, logger, sentMessage, sentTo, version, events, contactSalt }: ConnectionOptions,
  { intake, relay, control, accounts }: Parts,
): Parameters<typeof makeWASocket>[0] {
  /** Settings that our patch reads. */
  const patched = {
    options: { fetch: appStateFetch({ proxyUrl }) } as RequestInit,
    onSyncAction: (action: SyncAction) => control.unlessOver(() => contactSalt.take(action)),
    startQueryTimer: patientDelay,
    resendOptions: (chat: string, message: proto.IMessage) => relay.resendOptions(chat, message),
    // The watchdog does, and tolerates stalls.
    endsOnSilence: false,
  };
  return {
    waWebSocketUrl: url,
    // Bun's WebSocket reads the proxy of an agent, and nothing else of it.
    ...(proxyUrl === undefined ? {} : { agent: { proxy: new URL(proxyUrl) } as unknown as Agent }),
    ...patched,
    browser: [deviceName ?? browser[0], browser[1], browser[2]],
    auth: { creds: auth.creds, keys: auth.keys },
    logger: baileysLog(logger),
    ...(version === undefined ? {} : { version: waVersionParts(version) }),
    keepAliveIntervalMs: keepAliveMs,
    // Otherwise Baileys arms a timer and records two stack traces for each frame, a tenth of the cost of a send. The
    // watchdog and the acknowledgement deadlines detect a stalled connection.
    connectTimeoutMs: 0,
    defaultQueryTimeoutMs: queryTimeoutMs,
    markOnlineOnConnect: false,
    emitOwnEvents: false,
    syncFullHistory: false,
    shouldSyncHistoryMessage: () => false,
    generateHighQualityLinkPreview: false,
    // It costs 10 KB a message for 5 minutes. The ledger keeps the same messages on disk, across restarts too.
    enableRecentMessageCache: false,
    cachedGroupMetadata: (group) => relay.groups.of(group),
    getMessage: async ({ id, remoteJid }) => {
      const chat = id ? sentTo(id)?.chat : undefined;
      // A message goes to its recipients alone: anyone who knows its id may request it.
      if (!id || !remoteJid || chat === undefined || accounts.areDifferent(chat, remoteJid)) return undefined;
      const body = sentMessage(id);
      return body && relay.again(remoteJid, proto.Message.decode(body));
    },
    // Everything inbound waits during this delay: a stranger's garbage must not stop the session for a quarter of a
    // second each time.
    retryRequestDelayMs: 10,
    // The store is a local file: a write that failed once fails again, and the session has to stop.
    transactionOpts: { maxCommitRetries: 1, delayBetweenTriesMs: 0 },
    msgRetryCounterCache: intake.retries,
    userDevicesCache: relay.devices,
    callOfferCache: new TtlCache(100, 5 * minuteMs),
    placeholderResendCache: new TtlCache(100, 60 * minuteMs),
    makeSignalRepository: durableRepository({
      onMapped: (entries) => accounts.mapped(entries),
      me: () => auth.creds.me,
      keys: auth.keys,
      begin: (ciphertext) => intake.begin(ciphertext),
      onQuarantined: (ciphertext) => intake.quarantined(ciphertext),
      onDecrypted: (ciphertext, plaintext) => intake.decrypted(ciphertext, plaintext),
      onUndecryptable: (failure, ciphertext) =>
        control.unlessOver(() => {
          intake.undecryptable(ciphertext, failure.hasSession);
          const isOwn = ownJidsOf(auth.creds.me).includes(jidNormalizedUser(failure.sender));
          events.undecryptable({ ...failure, isOwn });
        }),
    }),
  };
}
