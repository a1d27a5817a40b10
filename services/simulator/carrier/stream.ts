import { randomBytes } from "node:crypto";
import { z } from "zod";
import { jsonOrUndefined } from "../../../lib/core/json.ts";
import { frameMs, hum } from "./audio.ts";
import type { Pacer } from "./pacer.ts";
import { Playback } from "./playback.ts";
import type { Recorder } from "./recorder.ts";
import { sign } from "./signature.ts";

/** Messages that the application may send on a stream. */
const fromApplication = z.discriminatedUnion("event", [
  z.object({ event: z.literal("media"), streamSid: z.string(), media: z.object({ payload: z.string() }) }),
  z.object({ event: z.literal("mark"), streamSid: z.string(), mark: z.object({ name: z.string() }) }),
  z.object({ event: z.literal("clear"), streamSid: z.string() }),
]);

export type StreamOptions = {
  url: string;
  parameters: Record<string, string>;
  callSid: string;
  accountSid: string;
  authToken: string;
  ca?: string | undefined;
  pacer: Pacer;
  recorder: Recorder | null;
  /** The caller's audio by frame. Unset: the hum. */
  audio?: ((frame: number) => Buffer) | undefined;
  /** Called when the first audio of this stream reaches the caller. */
  onHeard: () => void;
  /** Called with all audio for the caller. */
  onAudio?: ((audio: Buffer) => void) | undefined;
};

export type StreamReport = {
  stream_sid: string;
  opened_at: string;
  closed_at: string | null;
  close_code: number | null;
  frames_sent: number;
  heard_ms: number;
  marks: string[];
  clears: number;
  /** Number of messages that violate the protocol. */
  faulty: number;
};

/** Timeout of the connection attempt. */
const connectMs = 5000;

/** A bidirectional media stream. Sends the caller's audio and plays the application's audio, both at real pace. */
export class MediaStream {
  readonly sid = `MZ${randomBytes(16).toString("hex")}`;
  readonly #options: StreamOptions;
  readonly #playback: Playback;
  readonly #openedAt = new Date();
  readonly #ended = Promise.withResolvers<void>();
  #closedAt: Date | null = null;
  #closeCode: number | null = null;
  #socket: Bun.WebSocket;
  #stopPacing: () => void = () => {};
  #frames = 0;
  #sequence = 0;
  #startAt = 0;
  #silentUntil = 0;
  #heard = false;
  #marks: string[] = [];
  #clears = 0;
  #faulty = 0;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#playback = new Playback((name) => {
      this.#marks.push(name);
      this.#send({ event: "mark", mark: { name } });
    });
    const init = {
      headers: { "x-twilio-signature": sign(options.authToken, options.url) },
      ...(options.ca === undefined ? {} : { tls: { ca: options.ca } }),
    };
    // The DOM's types, which apply here, lack the options of Bun's constructor.
    const socket = new WebSocket(options.url, init as unknown as string[]) as unknown as Bun.WebSocket;
    this.#socket = socket;
    const connectTimer = setTimeout(() => socket.terminate(), connectMs);
    socket.addEventListener("open", () => {
      clearTimeout(connectTimer);
      this.#begin();
    });
    socket.addEventListener("message", (event: MessageEvent<string | Buffer>) => this.#receive(event.data));
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", (event: CloseEvent) => {
      clearTimeout(connectTimer);
      this.#stopPacing();
      this.#closedAt ??= new Date();
      this.#closeCode ??= event.code;
      this.#ended.resolve();
    });
  }

  /** Resolves when either side has closed the connection. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Sends a DTMF digit. Returns false if the connection is not open. */
  press(digit: string): boolean {
    return this.#send({ event: "dtmf", dtmf: { track: "inbound_track", digit } });
  }

  /** Ends the stream because the call has ended. */
  stop(): void {
    const { accountSid, callSid } = this.#options;
    this.#send({ event: "stop", stop: { accountSid, callSid } });
    this.#stopPacing();
    this.#socket.close(1000);
  }

  /** Ends the stream because the call goes on elsewhere. Does not wait for the other side. */
  abandon(): void {
    this.stop();
    this.#ended.resolve();
  }

  /** Sends nothing for `ms`, but keeps the connection. */
  fallSilent(ms: number): void {
    this.#silentUntil = performance.now() + ms;
  }

  /** Drops the connection without a close frame. */
  cut(): void {
    this.#socket.terminate();
  }

  report(): StreamReport {
    return {
      stream_sid: this.sid,
      opened_at: this.#openedAt.toISOString(),
      closed_at: this.#closedAt?.toISOString() ?? null,
      close_code: this.#closeCode,
      frames_sent: this.#frames,
      heard_ms: this.#playback.heardMs(performance.now()),
      marks: [...this.#marks],
      clears: this.#clears,
      faulty: this.#faulty,
    };
  }

  #begin(): void {
    const { accountSid, callSid, parameters, pacer } = this.#options;
    this.#socket.send(JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" }));
    this.#send({
      event: "start",
      start: {
        accountSid,
        callSid,
        streamSid: this.sid,
        tracks: ["inbound"],
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
        customParameters: parameters,
      },
    });
    this.#startAt = performance.now();
    this.#stopPacing = pacer.add((now) => this.#tick(now));
  }

  #tick(now: number): void {
    this.#playback.tick(now);
    if (now < this.#silentUntil) return;
    const due = Math.floor((now - this.#startAt) / frameMs);
    while (this.#frames < due) this.#sendFrame(now);
  }

  #sendFrame(now: number): void {
    const audio = this.#options.audio?.(this.#frames) ?? hum[this.#frames % hum.length]!;
    const timestamp = this.#frames * frameMs;
    this.#frames += 1;
    const media = {
      track: "inbound",
      chunk: String(this.#frames),
      timestamp: String(timestamp),
      payload: audio.toString("base64"),
    };
    this.#send({ event: "media", media });
    this.#options.recorder?.write(0, audio, now);
  }

  #send(message: Record<string, unknown>): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#sequence += 1;
    this.#socket.send(JSON.stringify({ ...message, sequenceNumber: String(this.#sequence), streamSid: this.sid }));
    return true;
  }

  #receive(data: string | Buffer): void {
    const message = typeof data === "string" ? read(data) : null;
    if (message === null || message.streamSid !== this.sid) {
      this.#faulty += 1;
      return;
    }
    const now = performance.now();
    switch (message.event) {
      case "media": {
        const audio = Buffer.from(message.media.payload, "base64");
        if (!this.#heard) this.#options.onHeard();
        this.#heard = true;
        this.#options.onAudio?.(audio);
        const at = this.#playback.queue(audio.length / 8, now);
        this.#options.recorder?.write(1, audio, at);
        return;
      }
      case "mark":
        return this.#playback.mark(message.mark.name, now);
      case "clear":
        this.#clears += 1;
        this.#playback.clear(now);
    }
  }
}

function read(text: string): z.output<typeof fromApplication> | null {
  return fromApplication.safeParse(jsonOrUndefined(text)).data ?? null;
}
