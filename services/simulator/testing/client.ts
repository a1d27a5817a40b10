import type {
  AuthenticationCreds,
  ConnectionState,
  SignalDataSet,
  SignalDataTypeMap,
  SignalKeyStore,
  UserFacingSocketConfig,
  WASocket,
} from "@whiskeysockets/baileys";
import { BufferJSON, initAuthCreds, makeWASocket, WA_CERT_DETAILS } from "@whiskeysockets/baileys";
import pino from "pino";

/** A login in memory: the state that a client keeps between connections. */
export type MemoryAuth = { creds: AuthenticationCreds; keys: SignalKeyStore };

export function memoryAuth(): MemoryAuth {
  const stored = new Map<string, string>();
  const keys: SignalKeyStore = {
    get: async <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) => {
      const found: { [id: string]: SignalDataTypeMap[T] } = {};
      for (const id of ids) {
        const text = stored.get(`${type} ${id}`);
        if (text !== undefined) found[id] = JSON.parse(text, BufferJSON.reviver) as SignalDataTypeMap[T];
      }
      return found;
    },
    set: async (data: SignalDataSet) => {
      for (const [type, entries] of Object.entries(data)) {
        for (const [id, value] of Object.entries(entries as Record<string, unknown>)) {
          if (value === null || value === undefined) stored.delete(`${type} ${id}`);
          else stored.set(`${type} ${id}`, JSON.stringify(value, BufferJSON.replacer));
        }
      }
    },
  };
  return { creds: initAuthCreds(), keys };
}

/** Makes Baileys trust a simulator's root instead of WhatsApp's, in the whole process. */
export function trust(rootBase64: string): void {
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootBase64, "base64");
}

/** Connects real Baileys, without its log, to a simulator. */
export function connect(wsUrl: string, auth: MemoryAuth, options: Partial<UserFacingSocketConfig> = {}): WASocket {
  const sock = makeWASocket({
    auth,
    waWebSocketUrl: wsUrl,
    logger: pino({ level: "silent" }),
    syncFullHistory: false,
    enableRecentMessageCache: false,
    ...options,
  });
  sock.ev.on("creds.update", (update) => void Object.assign(auth.creds, update));
  return sock;
}

/** Resolves with the first connection update that `predicate` accepts. */
export function connectionUpdate(
  sock: WASocket,
  predicate: (update: Partial<ConnectionState>) => unknown,
): Promise<Partial<ConnectionState>> {
  return new Promise((resolve) => sock.ev.on("connection.update", (update) => predicate(update) && resolve(update)));
}

/** Resolves with the status code with which the connection ends. */
export async function ending(sock: WASocket): Promise<number | undefined> {
  const { lastDisconnect } = await connectionUpdate(sock, ({ connection }) => connection === "close");
  const error = lastDisconnect?.error as { output?: { statusCode?: number } } | undefined;
  return error?.output?.statusCode;
}

export const opened = (sock: WASocket) => connectionUpdate(sock, ({ connection }) => connection === "open");
