import { createHash, randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Faults } from "../faults/faults.ts";

/** WhatsApp's own limit for a document is 2 GB; tests need less. */
const maxUploadBytes = 128 * 1024 * 1024;

/** The token that clients get with the host's name and send with each upload. */
export const mediaAuth = "simulator";
const folderPath = "/v/";

export type MediaTls = { cert: string; key: string };

export type MediaHost = {
  /** `host:port` at which clients reach it by https. */
  address: string;
  /** Stores an encrypted file and returns its path. */
  put(content: Uint8Array<ArrayBuffer>): Promise<string>;
  /** Returns the encrypted file at a path; undefined if there is none. */
  get(directPath: string): Promise<Blob | undefined>;
  stop(): Promise<void>;
};

export type MediaHostOptions = {
  host: string;
  port: number;
  tls: MediaTls;
  /** Folder of the files. Unset: they stay in memory. */
  folder?: string | undefined;
  faults: Faults;
  /** Host name for clients, which its certificate must have. Unset: the address it listens on. */
  publicHost?: string | undefined;
};

/**
 * Starts WhatsApp's media host, which clients always reach by https. POST /mms/<type>/<token> stores an encrypted file
 * and returns its path; GET returns the file. Only its sender and its receivers can decrypt it.
 */
export function startMediaHost({ host, port, tls, folder, faults, publicHost }: MediaHostOptions): MediaHost {
  const files = createFiles(folder);
  const put = async (content: Uint8Array<ArrayBuffer>): Promise<string> => {
    const name = randomBytes(32).toString("hex");
    await files.put(name, content);
    return `${folderPath}${name}`;
  };
  const get = async (directPath: string): Promise<Blob | undefined> => {
    const name = directPath.split("?")[0]!.slice(folderPath.length);
    return directPath.startsWith(folderPath) && /^[0-9a-f]{64}$/.test(name) ? files.get(name) : undefined;
  };

  const server = Bun.serve({
    hostname: host,
    port,
    tls,
    maxRequestBodySize: maxUploadBytes,
    routes: {
      "/mms/:type/:token": {
        POST: async (request) => {
          const { searchParams } = new URL(request.url);
          const content = new Uint8Array(await request.arrayBuffer());
          if (faults.strikeIf("media", ({ mode }) => mode === "upload_refused")) return refusal(500);
          if (searchParams.get("auth") !== mediaAuth) return refusal(401);
          // The token is the hash of the upload. WhatsApp refuses other content under it.
          if (createHash("sha256").update(content).digest("base64url") !== request.params.token) return refusal(400);
          const directPath = await put(content);
          return Response.json({ url: new URL(directPath, request.url).href, direct_path: directPath });
        },
      },
    },
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      const fault = faults.strikeIf("media", ({ mode }) => mode !== "upload_refused");
      if (fault?.mode === "away") return refusal(503);
      const file = fault?.mode === "gone" || request.method !== "GET" ? undefined : await get(pathname);
      if (file === undefined) return refusal(404);
      const content =
        fault?.mode === "garbage"
          ? new Blob([randomBytes(file.size)])
          : fault?.mode === "cut"
            ? file.slice(0, file.size / 2)
            : file;
      return new Response(content, { headers: { "content-type": "application/octet-stream" } });
    },
  });
  return { address: `${publicHost ?? host}:${server.port}`, put, get, stop: () => server.stop(true) };
}

const refusal = (status: number) => new Response("no", { status });

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
