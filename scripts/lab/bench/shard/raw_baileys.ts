import { BufferJSON, initAuthCreds, makeWASocket, WA_CERT_DETAILS } from "@whiskeysockets/baileys";
import type { SignalDataSet, SignalDataTypeMap, SignalKeyStore, WASocket } from "@whiskeysockets/baileys";
import pino from "pino";
import { yieldToLoop } from "../../../../lib/core/loop_budget.ts";
import type { Business } from "../../rig/pairing.ts";
import { eachOf } from "../../rig/pairing.ts";
import { rigToken, SimulatorControl } from "../../rig/simulator.ts";
import { textOf } from "../../rig/text.ts";

/*
 * The ceiling: Baileys in a bare loop, with its keys in memory and nothing durable. It gets the same settings as the
 * shard, since they make it faster, and the same patched package.
 */
export type RawCommand =
  | { do: "pair"; businesses: Business[] }
  | { do: "reopen" }
  | { do: "send"; label: string; each: number };
export type RawAnswer = { ms: number; acknowledged: number } | { error: string };

const [url, wsUrl, root] = process.argv.slice(2);
if (url === undefined || wsUrl === undefined || root === undefined)
  throw new Error("usage: raw_baileys.ts CONTROL_URL WS_URL NOISE_ROOT");
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(root, "base64");

const simulator = new SimulatorControl(url, rigToken);
const logger = pino({ level: "silent" });

type Login = {
  business: Business;
  auth: { creds: ReturnType<typeof initAuthCreds>; keys: SignalKeyStore };
  socket: WASocket;
};
let logins: Login[] = [];
let acknowledged = 0;
/** Called at each acknowledgement. */
let onAcknowledged = () => {};

/** The fastest possible store: a map. */
function memoryKeys(): SignalKeyStore {
  const stored = new Map<string, unknown>();
  return {
    get: <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) => {
      const found: { [id: string]: SignalDataTypeMap[T] } = {};
      for (const id of ids) {
        const value = stored.get(`${type}:${id}`) as SignalDataTypeMap[T] | undefined;
        if (value !== undefined) found[id] = value;
      }
      return found;
    },
    set: (data: SignalDataSet) => {
      for (const [type, entries] of Object.entries(data)) {
        for (const [id, value] of Object.entries(entries ?? {})) {
          if (value == null) stored.delete(`${type}:${id}`);
          else stored.set(`${type}:${id}`, value);
        }
      }
    },
  };
}

/** Opens a login and pairs it if it is new. */
async function open(business: Business, auth: Login["auth"]): Promise<WASocket> {
  const { promise, resolve, reject } = Promise.withResolvers<WASocket>();
  const socket = makeWASocket({
    auth,
    waWebSocketUrl: wsUrl!,
    logger,
    connectTimeoutMs: 0,
    markOnlineOnConnect: false,
    emitOwnEvents: false,
    syncFullHistory: false,
    shouldSyncHistoryMessage: () => false,
    enableRecentMessageCache: false,
  });
  socket.ev.on("creds.update", (update) => void Object.assign(auth.creds, update));
  socket.ws.on("CB:ack,class:message", () => {
    acknowledged += 1;
    onAcknowledged();
  });
  socket.ev.on("connection.update", ({ connection, qr, lastDisconnect }) => {
    if (qr !== undefined) simulator.scan(business.phone, qr).catch(reject);
    if (connection === "open") resolve(socket);
    if (connection !== "close") return;
    const restart =
      (lastDisconnect?.error as { output?: { statusCode?: number } } | undefined)?.output?.statusCode === 515;
    if (restart) open(business, auth).then(resolve, reject);
    else reject(lastDisconnect?.error ?? new Error("closed"));
  });
  return promise;
}

async function pair(businesses: Business[]): Promise<void> {
  await eachOf(businesses, 8, async (business) => {
    await simulator.makePhone(business.phone);
    const auth = { creds: initAuthCreds(), keys: memoryKeys() };
    logins.push({ business, auth, socket: await open(business, auth) });
  });
}

async function reopen(): Promise<void> {
  for (const { socket } of logins) await socket.end(undefined);
  const began = performance.now();
  logins = await Promise.all(
    logins.map(async ({ business, auth }) => {
      // As after a restart, which reads them from a disk.
      auth.creds = JSON.parse(JSON.stringify(auth.creds, BufferJSON.replacer), BufferJSON.reviver) as typeof auth.creds;
      return { business, auth, socket: await open(business, auth) };
    }),
  );
  reopenMs = performance.now() - began;
}
let reopenMs = 0;

/** Every login sends `each` texts, to its contacts in turn; over when WhatsApp's server has acknowledged the last. */
async function send(label: string, each: number): Promise<void> {
  const expected = logins.length * each;
  const all = Promise.withResolvers<void>();
  acknowledged = 0;
  onAcknowledged = () => {
    if (acknowledged === expected) all.resolve();
  };
  await Promise.all(
    logins.map(async ({ business: { contacts, phone }, socket }) => {
      for (let i = 0; i < each; i++) {
        await socket.sendMessage(`${contacts[i % contacts.length]!}@s.whatsapp.net`, { text: textOf(label, phone, i) });
        // On Bun a loop that awaits only promises starves the sockets.
        await yieldToLoop();
      }
    }),
  );
  await all.promise;
}

async function execute(command: RawCommand): Promise<RawAnswer> {
  const began = performance.now();
  if (command.do === "pair") await pair(command.businesses);
  else if (command.do === "send") await send(command.label, command.each);
  else {
    await reopen();
    return { ms: reopenMs, acknowledged };
  }
  return { ms: performance.now() - began, acknowledged };
}

process.on("message", (command: RawCommand) => {
  execute(command).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ error: String(error) } satisfies RawAnswer),
  );
});
process.send?.({ ms: 0, acknowledged: 0 } satisfies RawAnswer);
