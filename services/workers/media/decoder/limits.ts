/** Limits of one decoder process. */
export type DecoderLimits = {
  /** RLIMIT_DATA in bytes. Bun itself reserves about 280 MB of it and has 85 MB resident. */
  dataBytes: number;
  /** RLIMIT_CPU in seconds. */
  cpuSeconds: number;
  /** Wall-clock limit in ms, from spawn to exit. */
  timeoutMs: number;
};

const mib = 1024 * 1024;

/**
 * 600 MB of data leave a decoder about 400 MB resident, which fits into `memory.max` of
 * nomad/platform/workers.nomad.hcl beside the worker. A picture of maxDecodedBytes takes 0.5 s.
 */
export const decoderLimits: DecoderLimits = { dataBytes: 600 * mib, cpuSeconds: 8, timeoutMs: 10_000 };

/** Largest content that is decoded, in bytes: the largest picture and voice note that WhatsApp takes. */
export const maxEncodedBytes = 16 * mib;

/**
 * Largest picture that is decoded: width × height × channels × bytes per channel, from the header. A photo of 24
 * megapixels has 73 MB.
 */
export const maxDecodedBytes = 100 * mib;

/** Largest answer of a decoder: a thumbnail and a preview in base64 are below 100 KB. */
export const maxAnswerBytes = mib;

/** Picture formats that are decoded; a decoder has no loader for others. */
export const pictureFormats: Readonly<Record<string, string>> = {
  "image/jpeg": "VipsForeignLoadJpeg",
  "image/png": "VipsForeignLoadPng",
  "image/webp": "VipsForeignLoadWebp",
  "image/gif": "VipsForeignLoadNsgif",
};

/** True if a decoder can describe content of this type and size. */
export function isDescribable({ mime, size }: { mime: string; size: number }): boolean {
  return size <= maxEncodedBytes && (mime in pictureFormats || /^(audio|video)\//.test(mime));
}
