import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** WhatsApp's own limit is 2 GB for a document; this is enough to test with. */
const maxUploadBytes = 128 * 1024 * 1024;

export type MediaTls = { cert: string; key: string };

export type MediaHost = {
  /** `host:port` under which clients reach it by https. */
  address: string;
  stop(): Promise<void>;
};

export type MediaHostOptions = {
  host: string;
  port: number;
  tls: MediaTls;
  /** Where media is kept; in memory where absent. */
  folder?: string | undefined;
  /** What clients are told, if not the address it listens on: a name that its certificate bears. */
  publicHost?: string | undefined;
};

/**
 * WhatsApp's media host, which clients always reach by https: POST /mms/<type>/<token> keeps an (encrypted) file and
 * tells where it is; GET gives it back. What is in a file only its sender and its receivers know.
 */
export function startMediaHost({ host, port, tls, folder, publicHost }: MediaHostOptions): MediaHost {
  const files = createFiles(folder);
  const server = Bun.serve({
    hostname: host,
    port,
    tls,
    maxRequestBodySize: maxUploadBytes,
    routes: {
      "/mms/:type/:token": {
        POST: async (request) => {
          const name = createHash("sha256").update(request.params.token).digest("hex");
          await files.put(name, new Uint8Array(await request.arrayBuffer()));
          const directPath = `/v/${name}`;
          return Response.json({ url: new URL(directPath, request.url).href, direct_path: directPath });
        },
      },
      "/v/:name": {
        GET: async (request) => {
          const file = /^[0-9a-f]{64}$/.test(request.params.name) ? await files.get(request.params.name) : undefined;
          return file
            ? new Response(file, { headers: { "content-type": "application/octet-stream" } })
            : new Response("gone", { status: 404 });
        },
      },
    },
    fetch: () => new Response("not found", { status: 404 }),
  });
  return { address: `${publicHost ?? host}:${server.port}`, stop: () => server.stop(true) };
}

type Files = {
  put(name: string, content: Uint8Array<ArrayBuffer>): Promise<void>;
  get(name: string): Promise<Blob | undefined>;
};

function createFiles(folder: string | undefined): Files {
  if (folder === undefined) {
    const memory = new Map<string, Blob>();
    return {
      put: async (name, content) => void memory.set(name, new Blob([content])),
      get: async (name) => memory.get(name),
    };
  }
  mkdirSync(folder, { recursive: true });
  return {
    put: async (name, content) => void (await Bun.write(join(folder, name), content)),
    get: async (name) => {
      const file = Bun.file(join(folder, name));
      return (await file.exists()) ? file : undefined;
    },
  };
}
