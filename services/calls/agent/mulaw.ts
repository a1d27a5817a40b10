/** A 16-bit sample as a byte of μ-law (ITU-T G.711): sign, exponent and mantissa, all inverted. */
export function encodeSample(sample: number): number {
  const bias = 0x84;
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(32_635, Math.abs(Math.trunc(sample))) + bias;
  const exponent = 31 - Math.clz32(magnitude >> 7);
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

/** A tone of `hertz`, `ms` long, at a quarter of full loudness: 8,000 samples a second. */
export function tone(hertz: number, ms: number): Buffer {
  const samples = Math.round(8 * ms);
  const audio = Buffer.alloc(samples);
  for (let i = 0; i < samples; i++) audio[i] = encodeSample(8192 * Math.sin((2 * Math.PI * hertz * i) / 8000));
  return audio;
}
