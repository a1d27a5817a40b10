import { createHash, createPublicKey } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redis } from "ioredis";
import type { Browser } from "puppeteer-core";
import { createShardClient } from "../../lib/contracts/shard/index.ts";
import { createFeed } from "../../lib/events/index.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { createRouterOver } from "../../lib/routing/index.ts";
import { makeCertificate } from "../../lib/testing/certificate.ts";
import { testRedisUrl } from "../../lib/testing/servers.ts";
import { createHarness } from "../../services/api/testing/harness.ts";
import type { Harness } from "../../services/api/testing/harness.ts";
import { buildConsole } from "../../services/console/build.ts";
import type { PasskeyTimes } from "../../services/whatsapp/session/passkey/progress.ts";
import {
  newKeys,
  newVolume,
  startShard,
  startSimulator,
  token,
} from "../../services/whatsapp/testing/shard_under_test.ts";
import type { Simulator } from "../../services/whatsapp/testing/shard_under_test.ts";
import { startBrowser } from "./browser.ts";

/** The console, the API, a shard and the simulator, and a browser for which the simulator's side is WhatsApp's site. */
export type PasskeyRig = {
  simulator: Simulator;
  api: Harness;
  browser: Browser;
  /** Of the console. */
  origin: string;
  /** Of a page that is not allowed to ask. */
  strangerOrigin: string;
  extensionId: string;
  stop(): Promise<void>;
};

const extensionFolder = join(import.meta.dir, "../../services/console/extension");

export async function startPasskeyRig(passkeyTimes?: PasskeyTimes): Promise<PasskeyRig> {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-passkey-"));
  const www = join(folder, "www");
  await buildConsole(www);
  const { certFile, keyFile } = makeCertificate(folder);
  const tls = { cert: Bun.file(certFile), key: Bun.file(keyFile) };

  const simulator = startSimulator();
  const volume = newVolume();
  const shard = startShard({
    simulator,
    volume,
    keys: newKeys(),
    ...(passkeyTimes === undefined ? {} : { passkeyTimes }),
  });
  const shardServer = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: shard.fetch });
  const redis: Redis = createRedis(testRedisUrl(), "command");
  const feed = createFeed({ redis, blocking: createRedis(testRedisUrl(), "queue") });
  const directory = {
    addresses: new Map([[1, { shard: 1, url: `http://127.0.0.1:${shardServer.port}` }]]),
    ageMs: () => 0,
    ready: Promise.resolve(),
  };
  let api: Harness;
  const site = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    tls,
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith("/v1/")) return api.app.fetch(request);
      const file = Bun.file(join(www, pathname === "/" ? "index.html" : pathname));
      return (await file.exists()) ? new Response(file) : new Response(null, { status: 404 });
    },
  });
  const origin = `https://127.0.0.1:${site.port}`;
  api = await createHarness({
    validate: false,
    feed,
    router: createRouterOver(directory, () => 1),
    shards: createShardClient({ token }) as unknown as Harness["shards"],
    publicUrl: origin,
  });
  const page = (text: string) =>
    Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls,
      fetch: () => new Response(`<!doctype html><title>${text}</title><p>${text}`, { headers: htmlHeaders }),
    });
  const whatsapp = page("WhatsApp Web");
  const stranger = page("A stranger");

  const extension = join(folder, "extension");
  await cp(extensionFolder, extension, { recursive: true });
  await grantHost(extension, origin);
  const browser = await startBrowser({
    userDataDir: join(folder, "browser"),
    trust: `--ignore-certificate-errors-spki-list=${spkiOf(await Bun.file(certFile).text())}`,
    hosts: [`MAP web.whatsapp.com 127.0.0.1:${whatsapp.port}`],
    extensions: [extension],
  });
  const worker = await browser.waitForTarget((target) => target.url().endsWith("/background.js"), { timeout: 60_000 });

  return {
    simulator,
    api,
    browser,
    origin,
    strangerOrigin: `https://127.0.0.1:${stranger.port}`,
    extensionId: new URL(worker.url()).hostname,
    stop: async () => {
      await browser.close();
      await Promise.all([site, whatsapp, stranger, shardServer].map((server) => server.stop(true)));
      await feed.close();
      redis.disconnect();
      await shard.stop();
      await api.close();
      await simulator.stop();
      for (const each of [folder, volume]) await rm(each, { recursive: true, force: true });
    },
  };
}

/** WhatsApp Web forbids inline scripts and styles; the prompt has to work under such a policy. */
const htmlHeaders = { "content-type": "text/html", "content-security-policy": "default-src 'none'" };

/**
 * Grants the browser's permission for a site in advance, because a headless browser cannot show its question. Whether
 * the site may ask is still decided by the user's list.
 */
async function grantHost(extension: string, origin: string): Promise<void> {
  const path = join(extension, "manifest.json");
  const manifest = (await Bun.file(path).json()) as { host_permissions: string[] };
  manifest.host_permissions.push(`${origin}/*`);
  await Bun.write(path, JSON.stringify(manifest));
}

/** The digest of a certificate's public key, by which the browser accepts it for every name. */
function spkiOf(certificate: string): string {
  const key = createPublicKey(certificate).export({ format: "der", type: "spki" });
  return createHash("sha256").update(key).digest("base64");
}
