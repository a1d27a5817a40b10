export type AppStateLimits = {
  /** The HTTP proxy of the business. It holds credentials. */
  proxyUrl?: string | undefined;
  /** A busy account has contacts of a few megabytes. */
  maxBytes?: number;
  /** For the whole file. */
  deadlineMs?: number;
  isAllowed?: (url: URL) => boolean;
};

/**
 * Fetches a file of the app state. Baileys reads it as a whole into memory, and the phone chose its address: so the
 * file, the time and the hosts are limited.
 */
export function appStateFetch({
  proxyUrl,
  maxBytes = 16 * 1024 * 1024,
  deadlineMs = 15_000,
  isAllowed = isMediaHost,
}: AppStateLimits) {
  return async (address: string, init: RequestInit): Promise<Response> => {
    if (!isAllowed(new URL(address))) throw new Error("a file of the app state is on a host that is not WhatsApp's");
    const response = await fetch(address, {
      ...init,
      redirect: "error",
      signal: AbortSignal.timeout(deadlineMs),
      ...(proxyUrl === undefined ? {} : { proxy: proxyUrl }),
    });
    return new Response(response.body?.pipeThrough(limitedTo(maxBytes)) ?? null, { status: response.status });
  };
}

function isMediaHost({ protocol, hostname, port, username }: URL): boolean {
  return protocol === "https:" && hostname.endsWith(".whatsapp.net") && port === "" && username === "";
}

/** Fails after this number of bytes. */
function limitedTo(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform: (chunk, controller) => {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new RangeError(`a file of the app state is longer than ${maxBytes} bytes`);
      controller.enqueue(chunk);
    },
  });
}
