import { createHash, randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Faults } from "../faults/faults.ts";

/** WhatsApp's own limit is 2 GB for a document; this is enough to test with. */
const maxUploadBytes = 128 * 1024 * 1024;

/** What clients are given with the host's name, and have to show it. */
export const mediaAuth = "simulator";
const folderPath = "/v/";

export type MediaTls = { cert: string; key: string };

export type MediaHost = {
  /** `host:port` under which clients reach it by https. */
  address: string;
  /** What a phone uploads, encrypted; resolves with its path. */
  put(content: Uint8Array<ArrayBuffer>): Promise<string>;
  /** What lies at a path; undefined where nothing does. */
  get(directPath: string): Promise<Blob | undefined>;
  stop(): Promise<void>;
};

export type MediaHostOptions = {
  host: string;
  port: number;
  tls: MediaTls;
  /** Where media is kept; in memory where absent. */
  folder?: string | undefined;
  faults: Faults;
  /** What clients are told, if not the address it listens on: a name that its certificate bears. */
  publicHost?: string | undefined;
};

/**
 * WhatsApp's media host, which clients always reach by https: POST /mms/<type>/<token> keeps an (encrypted) file and
 * tells where it is; GET gives it back. What is in a file only its sender and its receivers know.
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
          // The token says what is uploaded: WhatsApp takes nothing else under it.
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
