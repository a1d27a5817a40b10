import { afterAll, afterEach, beforeAll } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { forBusiness, getMedia, getMessage } from "../../../lib/db/index.ts";
import { encrypted, mediaKeys } from "../../../lib/media/index.ts";
import type { MediaKind } from "../../../lib/media/index.ts";
import { createMediaQuota } from "../../../lib/quotas/index.ts";
import { createMediaSigner, storeMedia } from "../../../lib/media-store/index.ts";
import { storedContent } from "../../../lib/messages/index.ts";
import type { MediaContent } from "../../../lib/messages/index.ts";
import { createFolderStore, createSealedStore } from "../../../lib/storage/index.ts";
import { trustedCertificate } from "../../../lib/testing/certificate.ts";
import { until } from "../../../lib/testing/until.ts";
// WhatsApp's side and a real shard, with real Baileys between them; in this service's tests only.
import { startSimulator } from "../../simulator/simulator.ts";
import type { Simulator } from "../../simulator/simulator.ts";
import {
  control,
  makePhone,
  newKeys,
  newPhone,
  newVolume,
  startShard,
  token,
} from "../../whatsapp/testing/shard_under_test.ts";
import type { InProcess } from "../../whatsapp/testing/shard_under_test.ts";
import { createShardClient, createShardMedia } from "../../../lib/contracts/shard/index.ts";
import { createHandlers } from "../jobs.ts";
import { createTestWorkers } from "./workers.ts";
import type { TestWorkers } from "./workers.ts";
import { createDecoder } from "../media/decoder/decoder.ts";
import { decoderLimits } from "../media/decoder/limits.ts";
import type { MediaDeps } from "../media/media_deps.ts";

export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
export const picture = () =>
  sharp({
    create: {
      width: 640,
      height: 400,
      channels: 3,
      background: "#2a7",
      noise: { type: "gaussian", mean: 128, sigma: 30 },
    },
  })
    .png()
    .toBuffer();

export async function* once(bytes: Uint8Array) {
  yield bytes;
}

type Shown = {
  id: string;
  type: string;
  text?: string;
  media?: { mime: string; file_name?: string; voice?: boolean; seconds?: number; width?: number; has_preview: boolean };
};

/** A simulator, a real shard and workers for the tests of a file, with a paired business and a customer's phone. */
export function useMediaStage() {
  const folder = mkdtempSync(join(tmpdir(), "prosaas-media-"));
  const store = createSealedStore(
    createFolderStore(join(folder, "store")),
    KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`),
  );
  const volume = newVolume();
  const customer = newPhone();

  let simulator: Simulator;
  let shard: InProcess;
  let server: ReturnType<typeof Bun.serve>;
  let workers: TestWorkers;
  let business: string;
  let phone: string;
  let mediaDeps: MediaDeps;

  beforeAll(async () => {
    simulator = startSimulator({ media: { tls: trustedCertificate() } });
    shard = startShard({ simulator, volume, keys: newKeys() });
    server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: shard.fetch });
    workers = await createTestWorkers();
    workers.addresses.set(1, { shard: 1, url: server.url.href });
    const signer = createMediaSigner(KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`), "https://api.example");
    // A decoder starts in seconds on a busy machine.
    const decoder = createDecoder({ ...decoderLimits, timeoutMs: 60_000 });
    const quota = createMediaQuota(workers.database.db, 1024 ** 3);
    mediaDeps = { store, host: simulator.simulation.media!.address, signer, decoder, quota };
    const deps = {
      ...workers.deps,
      shards: createShardClient({ token }),
      shardMedia: createShardMedia({ token }),
      media: mediaDeps,
    };
    const handlers = createHandlers(deps);
    for (const queue of ["high", "media", "maintenance"] as const) await workers.serve(queue, { handlers });
    business = await workers.business();
    phone = newPhone();
    await shard.pair(simulator, business, phone);
    await makePhone(simulator, customer);
  });
  afterEach(() => control(simulator, "DELETE", "/faults"));
  afterAll(async () => {
    await workers.close();
    await server.stop(true);
    await shard.stop();
    await simulator.stop();
    for (const path of [folder, volume]) rmSync(path, { recursive: true, force: true });
  });

  const scope = () => forBusiness(workers.database.db, business);
  const contentOf = async (id: string) => {
    const media = (await getMedia(scope(), id))!;
    return Buffer.concat(await Array.fromAsync((await store.get(media.storage_key))!.bytes()));
  };

  /** The customer writes with a file; resolves with the row once its file is settled. */
  async function write(body: object, to = phone) {
    const { id } = await control<{ id: string }>(simulator, "POST", `/phones/${customer}/messages`, { to, ...body });
    // This shard sends no wake-ups, and the message may not have arrived yet.
    const arrived = async () => {
      await workers.producer.wake("inbound", { shard: 1 });
      return (await workers.rows(business)).find(({ wa_message_id }) => wa_message_id === id);
    };
    const row = await until(arrived, { what: "the message" });
    return async (
      settled = (content: MediaContent) => content.media.id !== undefined || content.media.error !== undefined,
    ) =>
      until(
        async () => {
          const content = (await getMessage(scope(), row.id))!.content as MediaContent;
          return settled(content) ? content : undefined;
        },
        { what: "the file" },
      );
  }

  /** Puts content on the media host; returns its pointer. */
  async function placed(kind: MediaKind, content: Uint8Array) {
    const key = randomBytes(32);
    const kept = new Uint8Array(Buffer.concat(await Array.fromAsync(encrypted(once(content), mediaKeys(key, kind)))));
    return {
      direct_path: await simulator.simulation.media!.put(kept),
      media_key: key.toString("base64"),
      file_sha256: createHash("sha256").update(content).digest("base64"),
      file_enc_sha256: createHash("sha256").update(kept).digest("base64"),
      file_length: content.length,
    };
  }

  const keep = async (content: Uint8Array) =>
    (await storeMedia(scope(), store, once(content), { maxBytes: 100 * 1024 * 1024 })).media;

  const shownTo = async (number: string) =>
    (await control<{ data: Shown[] }>(simulator, "GET", `/phones/${number}/messages`)).data;

  /** The business sends; resolves with what the customer is shown and the file as the phone opens it. */
  async function send(content: MediaContent, to = customer) {
    const id = await workers.queueMessage(business, `${to}@s.whatsapp.net`, storedContent(content));
    await workers.producer.wake("send", { business_id: business });
    const { wa_message_id } = (await workers.rows(business)).find((row) => row.id === id)!;
    const shown = await until(async () => (await shownTo(to)).find((message) => message.id === wa_message_id), {
      what: "the message",
    });
    const response = await fetch(`${simulator.url}/phones/${to}/messages/${wa_message_id}/file`);
    return { shown, file: Buffer.from(await response.arrayBuffer()), status: response.status };
  }

  return {
    get simulator() {
      return simulator;
    },
    get workers() {
      return workers;
    },
    get business() {
      return business;
    },
    get mediaDeps() {
      return mediaDeps;
    },
    get phone() {
      return phone;
    },
    folder,
    store,
    customer,
    scope,
    contentOf,
    write,
    placed,
    keep,
    shownTo,
    send,
  };
}
