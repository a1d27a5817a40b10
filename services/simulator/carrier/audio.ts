/** Bytes of a frame: 20 ms of 8,000 samples a second, one byte a sample. */
export const frameBytes = 160;
export const frameMs = 20;

/** Encodes a linear sample as μ-law by G.711's search for its segment. */
function mulaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  let magnitude = Math.min(Math.abs(Math.trunc(sample)), 32_635) + 132;
  let segment = 7;
  for (let bit = 0x4000; segment > 0 && (magnitude & bit) === 0; bit >>= 1) segment -= 1;
  magnitude = (magnitude >> (segment + 3)) & 0x0f;
  return ~(sign | (segment << 4) | magnitude) & 0xff;
}

/** A second of a voice-like hum, in frames. A simulated caller repeats it. */
export const hum: readonly Buffer[] = Array.from({ length: 50 }, (_, frame) =>
  Buffer.from(
    Array.from({ length: frameBytes }, (_, i) => {
      const t = (frame * frameBytes + i) / 8000;
      return mulaw(6000 * Math.sin(2 * Math.PI * 220 * t) * (0.6 + 0.4 * Math.sin(2 * Math.PI * 3 * t)));
    }),
  ),
);

/** The μ-law byte of silence. */
export const silence = 0xff;

/** Encodes separate channels of μ-law audio as a WAV file (RIFF, format 7). */
export function wav(channels: readonly Buffer[]): Buffer {
  const samples = Math.max(0, ...channels.map((channel) => channel.length));
  const data = Buffer.alloc(samples * channels.length, silence);
  channels.forEach((channel, c) => {
    for (let i = 0; i < channel.length; i++) data[i * channels.length + c] = channel[i]!;
  });
  const head = Buffer.alloc(46);
  head.write("RIFF", 0);
  head.writeUInt32LE(38 + data.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(18, 16);
  head.writeUInt16LE(7, 20);
  head.writeUInt16LE(channels.length, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(8000 * channels.length, 28);
  head.writeUInt16LE(channels.length, 32);
  head.writeUInt16LE(8, 34);
  head.writeUInt16LE(0, 36);
  head.write("data", 38);
  head.writeUInt32LE(data.length, 42);
  return Buffer.concat([head, data]);
}
