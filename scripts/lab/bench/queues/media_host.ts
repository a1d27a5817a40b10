import { createHash, randomBytes } from "node:crypto";
import sharp from "sharp";
import { encrypted, mediaKeys } from "../../../../lib/media/index.ts";
import type { MediaPointer } from "../../../../lib/media/index.ts";
import { makeCertificate } from "../../../../lib/testing/certificate.ts";

/** A media host of WhatsApp with pictures like those of a phone. */
export type PictureHost = {
  /** host:port, as WA_MEDIA_HOST. */
  address: string;
  /** Its certificate, for NODE_EXTRA_CA_CERTS of its clients. */
  certFile: string;
  pointers: readonly MediaPointer[];
  stop(): Promise<void>;
};

export async function startPictureHost(folder: string, pictures: number): Promise<PictureHost> {
  const { certFile, keyFile } = makeCertificate(folder);
  const kept = new Map<string, Blob>();
  const pointers: MediaPointer[] = [];
  for (let n = 0; n < pictures; n++) {
    const content = await picture();
    const key = randomBytes(32);
    const sealed = Buffer.concat(await Array.fromAsync(encrypted(once(content), mediaKeys(key, "image"))));
    const direct_path = `/v/${n}`;
    kept.set(direct_path, new Blob([sealed]));
    pointers.push({
      direct_path,
      media_key: key.toString("base64"),
      file_sha256: sha256(content),
      file_enc_sha256: sha256(sealed),
      file_length: content.length,
    });
  }
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: Bun.file(certFile), key: Bun.file(keyFile) },
    fetch: (request) => {
      const file = kept.get(new URL(request.url).pathname);
      return file === undefined ? new Response(null, { status: 404 }) : new Response(file);
    },
  });
  return { address: `localhost:${server.port}`, certFile, pointers, stop: () => server.stop(true) };
}

/** About 100 kB of noise; a plain colour would compress to nothing. */
function picture(): Promise<Buffer> {
  const noise = { type: "gaussian", mean: 128, sigma: 30 } as const;
  return sharp({ create: { width: 640, height: 480, channels: 3, background: "#888", noise } })
    .jpeg({ quality: 80 })
    .toBuffer();
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("base64");
