import { DEFAULT_CONNECTION_CONFIG, initAuthCreds, makeWASocket } from "@whiskeysockets/baileys";
import type { SignalRepositoryWithLIDStore, SocketConfig } from "@whiskeysockets/baileys";

type OfflineOptions = {
  url?: string;
  startQueryTimer?: (ms: number) => { delay: Promise<void>; cancel: () => void };
  me?: { id: string; name: string };
  decryptMessage?: SignalRepositoryWithLIDStore["decryptMessage"];
};

/** Creates a Baileys socket without a server. Collects the errors and the acknowledgements that it logs. */
export function offlineSocket({ url = "ws://127.0.0.1:1", decryptMessage, startQueryTimer, ...creds }: OfflineOptions) {
  const errors: string[] = [];
  const acks: Record<string, string>[] = [];
  const ignore = () => {};
  const error = (fields: unknown, message?: string) => {
    const { ackErr } = fields as { ackErr?: Error };
    errors.push(`${message}: ${ackErr?.message}`);
  };
  const logger = {
    level: "error",
    child: () => logger,
    trace: ignore,
    debug: (fields: unknown, text?: string) => {
      if (text === "sent ack") acks.push((fields as { sent: Record<string, string> }).sent);
    },
    info: ignore,
    warn: ignore,
    error,
  };
  const makeSignalRepository: SocketConfig["makeSignalRepository"] = (...args) => ({
    ...DEFAULT_CONNECTION_CONFIG.makeSignalRepository(...args),
    ...(decryptMessage && { decryptMessage }),
  });
  const socket = makeWASocket({
    auth: { creds: { ...initAuthCreds(), ...creds }, keys: { get: () => ({}), set: ignore } },
    waWebSocketUrl: url,
    logger,
    enableRecentMessageCache: false,
    ...(decryptMessage && { makeSignalRepository }),
    ...(startQueryTimer && { startQueryTimer }),
  });
  return { socket, errors, acks, end: () => Promise.resolve(socket.end(undefined)) };
}
