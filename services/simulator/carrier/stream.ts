import { randomBytes } from "node:crypto";
import { z } from "zod";
import { frameMs, hum } from "./audio.ts";
import type { Pacer } from "./pacer.ts";
import { Playback } from "./playback.ts";
import type { Recorder } from "./recorder.ts";
import { sign } from "./signature.ts";

/** What our side may send on a stream. */
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
  /** The caller's audio, frame by frame; the hum where it is absent. */
  audio?: ((frame: number) => Buffer) | undefined;
  /** The first audio of this stream reached the caller. */
  onHeard: () => void;
  /** Any audio did. */
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
  /** Messages that were none of the protocol. */
  faulty: number;
};

/** How long the connection may take. */
const connectMs = 5000;

/** A two-way media stream: the caller's audio goes out at real pace, ours is played at real pace. */
export class MediaStream {
  readonly sid = `MZ${randomBytes(16).toString("hex")}`;
  readonly #options: StreamOptions;
  readonly #playback: Playback;
  readonly #openedAt = new Date();
  readonly #ended = Promise.withResolvers<void>();
  #closedAt: Date | null = null;
  #closeCode: number | null = null;
  #socket: Bun.WebSocket;
  #leave: () => void = () => {};
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
    // Bun's constructor takes more than the DOM's types, which are in force here, know of.
    const socket = new WebSocket(options.url, init as unknown as string[]) as unknown as Bun.WebSocket;
    this.#socket = socket;
    const hung = setTimeout(() => socket.terminate(), connectMs);
    socket.addEventListener("open", () => {
      clearTimeout(hung);
      this.#begin();
    });
    socket.addEventListener("message", (event: MessageEvent<string | Buffer>) => this.#receive(event.data));
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", (event: CloseEvent) => {
      clearTimeout(hung);
      this.#leave();
      this.#closedAt ??= new Date();
      this.#closeCode ??= event.code;
      this.#ended.resolve();
    });
  }

  /** Resolves when the connection is closed, by whomever. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** False where the connection is not there to take it. */
  press(digit: string): boolean {
    return this.#send({ event: "dtmf", dtmf: { track: "inbound_track", digit } });
  }

  /** The call is over. */
  stop(): void {
    const { accountSid, callSid } = this.#options;
    this.#send({ event: "stop", stop: { accountSid, callSid } });
    this.#leave();
    this.#socket.close(1000);
  }

  /** Sends nothing for some time, and holds the connection. */
  fallSilent(ms: number): void {
    this.#silentUntil = performance.now() + ms;
  }

  /** Ends the connection without a word. */
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
    this.#leave = pacer.add((now) => this.#tick(now));
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
  try {
    return fromApplication.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
