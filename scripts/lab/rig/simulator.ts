import { join } from "node:path";
import { programCommand } from "../../../lib/testing/program.ts";
import type { DirectLink } from "../../../services/simulator/whatsapp/pairing/direct_link.ts";
import { listeningPorts, startChild } from "./child.ts";
import type { Child } from "./child.ts";

export type Shown = {
  id: string;
  chat: string;
  sender: string;
  from_me: boolean;
  text?: string;
  /** Unix ms at which the server received it. */
  timestamp: number;
  expiration?: number;
};
export type Screen = { data: Shown[]; duplicates: number; undecryptable: number };
export type Sent = { id: string; to: string; status: "sent" | "delivered" | "read" };
type Device = { device: number; online: boolean; linked_at: string; waiting: number };
export type Fault = { kind: string; phone?: string; times?: number } & Record<string, unknown>;

/** The token of every simulator that the rig starts. */
export const rigToken = "a-token-of-the-rig-for-the-simulator";

/** The control API of a simulator. */
export class SimulatorControl {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  makePhone = (phone: string) => this.ask("POST", "/phones", { phone });
  scan = (phone: string, qr: string) => this.ask("POST", `/phones/${phone}/scan`, { qr });
  link = (phone: string, registration: object) => this.ask<DirectLink>("POST", `/phones/${phone}/links`, registration);
  write = (from: string, to: string, text: string) =>
    this.ask<{ id: string }>("POST", `/phones/${from}/messages`, { to, text });
  screen = (phone: string) => this.ask<Screen>("GET", `/phones/${phone}/messages`);
  devices = async (phone: string) => (await this.ask<{ devices: Device[] }>("GET", `/phones/${phone}`)).devices;
  sent = async (phone: string) => (await this.ask<{ data: Sent[] }>("GET", `/phones/${phone}/sent`)).data;
  fault = (fault: Fault) => this.ask<{ struck: number }>("POST", "/faults", fault);
  /** Deletes all faults, or those of a kind. */
  clearFaults = (kind?: string) => this.ask("DELETE", kind === undefined ? "/faults" : `/faults?kind=${kind}`);
  stats = () => this.ask<Record<string, number>>("GET", "/stats");

  /** Sends a request to the control API. @throws if the answer is no success */
  async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.#url + path, {
      method,
      // A kept connection may be closed in the moment of its reuse.
      keepalive: false,
      headers: { "content-type": "application/json", authorization: `Bearer ${this.#token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`simulator: ${method} ${path} answered ${response.status}: ${answer}`);
    return (answer === "" ? undefined : JSON.parse(answer)) as T;
  }
}

/** The simulator of WhatsApp in a process of its own. */
export class SimulatorProcess extends SimulatorControl {
  readonly child: Child;
  readonly url: string;
  readonly opsUrl: string;
  readonly wsUrl: string;
  readonly noiseRoot: string;

  private constructor(child: Child, { port, opsPort }: { port: number; opsPort: number }) {
    const url = `http://127.0.0.1:${port}`;
    super(url, rigToken);
    const said = /\{[^\n]*"msg":"listening"\}/.exec(child.log())?.[0] ?? "{}";
    const { ws_url: wsUrl, noise_root: noiseRoot } = JSON.parse(said) as { ws_url: string; noise_root: string };
    this.child = child;
    this.url = url;
    this.opsUrl = `http://127.0.0.1:${opsPort}`;
    this.wsUrl = wsUrl;
    this.noiseRoot = noiseRoot;
  }

  /** Without SIMULATOR_DATA in `env`, the simulator keeps everything in memory. */
  static async start(folder: string, name = "simulator", env: Record<string, string> = {}): Promise<SimulatorProcess> {
    const child = startChild({
      command: programCommand("services/simulator/main.ts"),
      logFile: join(folder, `${name}.log`),
      // As under a supervisor: it does not register in Consul.
      env: {
        HOST: "127.0.0.1",
        PORT: "0",
        LOG_LEVEL: "info",
        NOMAD_ALLOC_ID: "rig",
        SIMULATOR_TOKEN: rigToken,
        ...env,
      },
    });
    return new SimulatorProcess(child, await listeningPorts(child));
  }

  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    await this.child.exited;
  }
}
