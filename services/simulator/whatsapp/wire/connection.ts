import { decodeBinaryNode, encodeBinaryNode } from "@whiskeysockets/baileys";
import type { ServerWebSocket } from "bun";
import { NoiseHandshake } from "../noise/handshake.ts";
import type { ClientHello } from "../noise/handshake.ts";
import type { NoiseIdentity } from "../noise/identity.ts";
import type { NoiseTransport } from "../noise/transport.ts";
import type { Device } from "../phones/device.ts";
import type { Phone } from "../phones/phone.ts";
import { FrameReader, frame } from "./frames.ts";
import type { BinaryNode } from "./stanza.ts";
import { node } from "./stanza.ts";

export type Socket = ServerWebSocket<{ connection?: Connection }>;

/** The device that is logged in on a connection. */
export type Login = { phone: Phone; device: Device };

export type ConnectionEvents = {
  /** Called after the handshake. Logs the client in, offers pairing, or refuses it. */
  onHello(connection: Connection, hello: ClientHello): void | Promise<void>;
  /** Called with each stanza in order. The next stanza waits until the promise settles. */
  onStanza(connection: Connection, stanza: BinaryNode): void | Promise<void>;
  /** Called when the client violates the protocol, before the connection is closed. */
  onError(connection: Connection, error: unknown): void;
};

/**
 * One client's WebSocket.
 *
 *   hello ──first frame──▶ finish ──second frame──▶ open ──close() or the client disconnects──▶ closed
 */
export class Connection {
  login: Login | undefined;
  /** Number of frames from the client after the handshake. */
  received = 0;
  /** Number of stanzas that waited for the login. */
  backlog = 0;
  /** Number of frames after which the connection is dropped. */
  dropAt: number | undefined;
  /** Silence: "all" ignores and sends no stanza; "messages" still answers queries. */
  mute: "none" | "messages" | "all" = "none";
  /** The side with a reason to end the connection: the server, also by a fault that makes the client end it. */
  endedBy: "server" | "client" | undefined;
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  readonly #reader = new FrameReader();
  readonly #handshake: NoiseHandshake;
  #transport: NoiseTransport | undefined;
  #greeted = false;
  #closed = false;
  #incoming: Buffer[] = [];
  #busy = false;
  #outgoing: Buffer[] = [];

  constructor(socket: Socket, identity: NoiseIdentity, events: ConnectionEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#handshake = new NoiseHandshake(identity);
  }

  get closed(): boolean {
    return this.#closed;
  }

  receive(data: Buffer): void {
    if (this.#closed) return;
    try {
      this.#incoming.push(...this.#reader.push(data));
    } catch (error) {
      return this.#fail(error);
    }
    void this.#work();
  }

  send(stanza: BinaryNode): void {
    this.#sendEncoded(encodeBinaryNode(stanza));
  }

  /** Sends an encoded stanza of the mailbox. */
  deliver(stanza: Uint8Array): void {
    if (this.mute === "none") this.#sendEncoded(stanza);
  }

  #sendEncoded(stanza: Uint8Array): void {
    if (this.#closed || !this.#transport || this.mute === "all") return;
    // Batches the stanzas of one event-loop turn into one WebSocket message.
    if (this.#outgoing.length === 0) queueMicrotask(() => this.#flush());
    this.#outgoing.push(frame(this.#transport.encrypt(stanza)));
  }

  /** Sends `<stream:error>` and closes the connection. */
  endWith(attrs: Record<string, string>, reason?: BinaryNode): void {
    this.send(node("stream:error", attrs, reason ? [reason] : undefined));
    this.close();
  }

  /** Closes the connection after pending stanzas were sent. */
  close(): void {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.endedBy ??= "server";
    this.#socket.close();
  }

  /** Drops the connection without a close frame, as a network failure would. */
  drop(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.endedBy ??= "server";
    this.#socket.terminate();
  }

  /** Marks the connection as closed by the client. */
  ended(): void {
    this.#closed = true;
  }

  #flush(): void {
    if (this.#outgoing.length === 0) return;
    const bytes = this.#outgoing.length === 1 ? this.#outgoing[0]! : Buffer.concat(this.#outgoing);
    this.#outgoing = [];
    if (!this.#closed) this.#socket.sendBinary(bytes);
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#incoming.shift(); next && !this.#closed; next = this.#incoming.shift())
        await this.#take(next);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#busy = false;
    }
  }

  async #take(bytes: Buffer): Promise<void> {
    if (!this.#greeted) {
      this.#greeted = true;
      this.#socket.sendBinary(frame(this.#handshake.hello(bytes)));
      return;
    }
    if (!this.#transport) {
      const hello = this.#handshake.finish(bytes);
      this.#transport = hello.transport;
      return this.#events.onHello(this, hello);
    }
    const stanza = await decodeBinaryNode(this.#transport.decrypt(bytes));
    this.received += 1;
    if (this.dropAt !== undefined && this.received >= this.dropAt) return this.drop();
    if (this.mute !== "all") await this.#events.onStanza(this, stanza);
  }

  #fail(error: unknown): void {
    this.endedBy ??= "client";
    this.#events.onError(this, error);
    this.drop();
  }
}
