import { silence } from "./audio.ts";

/** Ten minutes. A longer recording keeps only its start. */
const maxBytes = 10 * 60 * 8000;

/** Records both ends of a call, each on a channel of its own, aligned by time. */
export class Recorder {
  readonly startedAt = performance.now();
  readonly #channels = [new Track(), new Track()];

  /** Records audio of a channel (0: caller, 1: application) that is heard from `at` on, in performance.now() time. */
  write(channel: 0 | 1, audio: Buffer, at: number): void {
    this.#channels[channel]!.write(audio, Math.max(0, Math.round((at - this.startedAt) * 8)));
  }

  seconds(): number {
    return Math.round((performance.now() - this.startedAt) / 1000);
  }

  channels(): Buffer[] {
    return this.#channels.map((track) => track.audio());
  }
}

class Track {
  #audio = Buffer.alloc(0);
  #length = 0;

  write(audio: Buffer, offset: number): void {
    const end = Math.min(maxBytes, offset + audio.length);
    if (end <= offset) return;
    if (end > this.#audio.length) {
      const grown = Buffer.alloc(Math.max(end, this.#audio.length * 2, 64_000), silence);
      this.#audio.copy(grown);
      this.#audio = grown;
    }
    audio.copy(this.#audio, offset, 0, end - offset);
    this.#length = Math.max(this.#length, end);
  }

  audio(): Buffer {
    return this.#audio.subarray(0, this.#length);
  }
}
