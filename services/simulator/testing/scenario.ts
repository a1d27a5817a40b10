import type { WAMessage, WASocket } from "@whiskeysockets/baileys";
import { afterAll, afterEach, beforeAll } from "bun:test";
import { startSimulator } from "../simulator.ts";
import type { Simulator } from "../simulator.ts";
import { connect, opened, trust } from "./client.ts";
import type { MemoryAuth } from "./client.ts";
import { control } from "./control.ts";

type ClientOptions = Parameters<typeof connect>[2];

export type Scenario = {
  simulator: Simulator;
  /** The control API. */
  api: ReturnType<typeof control>;
  /** Connects a client that is closed at the end of the test. */
  client(auth: MemoryAuth, options?: ClientOptions): WASocket;
  /** As `client`; resolves when it is open. */
  openClient(auth: MemoryAuth, options?: ClientOptions): Promise<WASocket>;
};

/** Registers the hooks of a test file that connects real Baileys to one simulator. */
export function simulatorScenario(): Scenario {
  // Each test pairs and logs in real Baileys, and the machine may be busy.
  const sockets: WASocket[] = [];
  const scenario = {
    client: (auth: MemoryAuth, options: ClientOptions = {}) => {
      const sock = connect(scenario.simulator.wsUrl, auth, options);
      sockets.push(sock);
      return sock;
    },
    openClient: async (auth: MemoryAuth, options: ClientOptions = {}) => {
      const sock = scenario.client(auth, options);
      await opened(sock);
      return sock;
    },
  } as Scenario;
  beforeAll(() => {
    scenario.simulator = startSimulator();
    scenario.api = control(scenario.simulator.url);
    trust(scenario.simulator.rootBase64);
  });
  afterEach(async () => {
    for (const sock of sockets.splice(0)) await sock.end(undefined);
    await scenario.api.delete("/faults");
  });
  afterAll(() => scenario.simulator.stop());
  return scenario;
}

/** Collects a client's reports: the highest status of each own message, received texts, and acknowledgements. */
export function observe(sock: WASocket) {
  const statuses = new Map<string, number>();
  const received: { text: string | null | undefined; type: string; message: WAMessage }[] = [];
  const acks: Record<string, string>[] = [];
  const raise = (id: string | null | undefined, status: number | null | undefined) => {
    if (id && typeof status === "number") statuses.set(id, Math.max(status, statuses.get(id) ?? 0));
  };
  sock.ev.on("messages.upsert", ({ messages, type }) => {
    for (const message of messages) {
      if (message.key.fromMe) raise(message.key.id, message.status);
      const text = message.message?.conversation;
      if (text) received.push({ text, type, message });
    }
  });
  sock.ev.on("messages.update", (updates) => {
    for (const { key, update } of updates) raise(key.id, update.status);
  });
  sock.ws.on("CB:ack,class:message", ({ attrs }: { attrs: Record<string, string> }) => acks.push(attrs));
  return { statuses, received, acks };
}

export type PhoneView = { devices: { device: number; online: boolean; waiting: number }[] };

export const jid = (phone: string) => `${phone}@s.whatsapp.net`;
export const deliveredStatus = 3;
export const readStatus = 4;
