import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { forBusiness, getMedia, getMessage } from "../../../lib/db/index.ts";
import { encrypted, maxBytes, mediaKeys } from "../../../lib/media/index.ts";
import type { MediaKind } from "../../../lib/media/index.ts";
import { createMediaQuota } from "../../../lib/quotas/index.ts";
import { createMediaSigner, keepMedia } from "../../../lib/media-store/index.ts";
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
import { createTestWorkers } from "../testing/workers.ts";
import type { TestWorkers } from "../testing/workers.ts";
import { createDecoder } from "./decoder/decoder.ts";
import type { MediaDeps } from "./media_deps.ts";

setDefaultTimeout(60_000);

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
  const quota = createMediaQuota(workers.database.db, 1024 ** 3);
  mediaDeps = { store, host: simulator.simulation.media!.address, signer, decoder: createDecoder(), quota };
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
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const picture = () =>
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
const contentOf = async (id: string) => {
  const media = (await getMedia(scope(), id))!;
  return Buffer.concat(await Array.fromAsync((await store.get(media.storage_key))!.bytes()));
};

/** The customer writes with a file; resolves with the row once its file is settled. */
async function write(body: object, to = phone) {
  const { id } = await control<{ id: string }>(simulator, "POST", `/phones/${customer}/messages`, { to, ...body });
  // The shard of this test wakes nobody, and the message may not be with it yet.
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
      { what: "the file", deadlineMs: 30_000 },
    );
}

async function* once(bytes: Uint8Array) {
  yield bytes;
}
const keep = async (content: Uint8Array) =>
  (await keepMedia(scope(), store, once(content), { maxBytes: 100 * 1024 * 1024 })).media;

type Shown = {
  id: string;
  type: string;
  text?: string;
  media?: { mime: string; file_name?: string; voice?: boolean; seconds?: number; width?: number; has_preview: boolean };
};
const shownTo = async (number: string) =>
  (await control<{ data: Shown[] }>(simulator, "GET", `/phones/${number}/messages`)).data;

/** The business sends; resolves with what the customer is shown and the file as the phone opens it. */
async function send(content: MediaContent, to = customer) {
  const id = await workers.queueMessage(business, `${to}@s.whatsapp.net`, storedContent(content));
  await workers.producer.wake("send", { business_id: business });
  const { wa_message_id } = (await workers.rows(business)).find((row) => row.id === id)!;
  const shown = await until(async () => (await shownTo(to)).find((message) => message.id === wa_message_id), {
    what: "the message",
    deadlineMs: 30_000,
  });
  const response = await fetch(`${simulator.url}/phones/${to}/messages/${wa_message_id}/file`);
  return { shown, file: Buffer.from(await response.arrayBuffer()), status: response.status };
}

test("received files beyond the media quota are not fetched", async () => {
  const { quota } = mediaDeps;
  mediaDeps.quota = createMediaQuota(workers.database.db, 1);
  try {
    const file = await picture();
    const settled = await write({
      type: "image",
      media: { file: file.toString("base64"), mime: "image/png" },
      caption: "full",
    });
    const { media, ...rest } = await settled();
    expect(rest).toMatchObject({ type: "image", caption: "full" });
    expect(media).toMatchObject({ error: "quota_exceeded" });
    expect(media.id).toBeUndefined();
    expect(await workers.database.owner`select from media where sha256 = ${sha256(file)}`).toHaveLength(0);
  } finally {
    mediaDeps.quota = quota;
  }
});

test("a picture that a customer sends is fetched, opened, described and kept sealed, and whoever wants to know is told", async () => {
  const content = await picture();
  const endpoint = await workers.endpoint(business);
  const settled = await write({
    type: "image",
    media: { file: content.toString("base64"), mime: "image/jpeg" },
    caption: "look",
  });
  const { media, ...rest } = await settled();
  expect(rest).toMatchObject({ type: "image", caption: "look" });
  expect(media).toEqual({ id: expect.any(String), mime: "image/png", size: content.length, width: 640, height: 400 });
  expect(sha256(await contentOf(media.id!))).toBe(sha256(content));
  const row = (await getMedia(scope(), media.id!))!;
  expect(row.sha256).toBe(sha256(content));
  const thumbnail = Buffer.concat(await Array.fromAsync((await store.get(row.thumbnail_key!))!.bytes()));
  expect(await sharp(thumbnail).metadata()).toMatchObject({ format: "jpeg", width: 320, height: 200 });

  const told = await until(
    async () =>
      (await workers.deliveries(endpoint.id))
        .map(({ payload }) => JSON.parse(payload))
        .find(({ type }) => type === "message.media"),
    { what: "the event" },
  );
  expect(told.data).toMatchObject({
    business_id: business,
    type: "image",
    media: { id: media.id, status: "available", mime: "image/png" },
  });
  expect(told.data.media.url).toStartWith(`https://api.example/v1/files/${business}/${media.id}/content?`);
  const received = (await workers.deliveries(endpoint.id))
    .map(({ payload }) => JSON.parse(payload))
    .find(({ type }) => type === "message.received");
  expect(received.data.content.media).toMatchObject({ id: null, status: "pending" });
  expect(JSON.stringify([told, received])).not.toContain("media_key");
});

test.each<[MediaKind, object]>([
  ["video", {}],
  ["audio", { voice: true }],
  ["document", { file_name: "menu.pdf", caption: "the menu" }],
  ["sticker", {}],
])("a %s comes whole, byte for byte", async (type, more) => {
  const content = randomBytes(300_001);
  const settled = await write({
    type,
    media: { file: content.toString("base64"), mime: "application/x-any" },
    ...more,
  });
  const { media, ...rest } = await settled();
  expect(rest).toMatchObject({ type, ...more });
  expect(sha256(await contentOf(media.id!))).toBe(sha256(content));
});

test.each(["image", "document"])(
  "a stranger's AVIF bomb sent as %s arrives without a description",
  async (type) => {
    const bomb = await sharp({ create: { width: 7_071, height: 7_071, channels: 3, background: "#2a7" } })
      .avif({ effort: 0 })
      .toBuffer();
    const settled = await write({ type, media: { file: bomb.toString("base64"), mime: "image/avif" } });
    const { media } = await settled();
    expect(media).toEqual({ id: expect.any(String), mime: "image/avif", size: bomb.length });
    const row = (await getMedia(scope(), media.id!))!;
    expect(row).toMatchObject({ width: null, thumbnail_key: null, described_at: expect.any(Date) });
  },
  60_000,
);

test("media whose attempts are used up arrives without a description", async () => {
  const content = await picture();
  const kept = await keep(content);
  await workers.database.owner`update media set describe_attempts = 3 where id = ${kept.id}`;
  await workers.producer.wake("describe_media", { business_id: business, media_id: kept.id });
  const described = async () => (await getMedia(scope(), kept.id))!.described_at !== null;
  await until(described, { what: "the description" });
  expect((await getMedia(scope(), kept.id))!).toMatchObject({ width: null, thumbnail_key: null });
});

test("an attempt is recorded before content is decoded", async () => {
  const kept = await keep(await picture());
  await workers.producer.wake("describe_media", { business_id: business, media_id: kept.id });
  await until(async () => (await getMedia(scope(), kept.id))!.described_at !== null, { what: "the description" });
  expect((await getMedia(scope(), kept.id))!).toMatchObject({ width: 640, describe_attempts: 1 });
});

test("the same file from two people is one media", async () => {
  const file = (await picture()).toString("base64");
  const both = await Promise.all(
    [1, 2].map(async () => (await write({ type: "image", media: { file, mime: "image/png" } }))()),
  );
  expect(new Set(both.map(({ media }) => media.id)).size).toBe(1);
});

test("a file that the host has no longer is uploaded again by the phone, and fetched", async () => {
  await control(simulator, "POST", "/faults", { kind: "media", mode: "gone", times: 1 });
  const settled = await write({ type: "document", media: { random: 5_000, mime: "application/x-any" } });
  expect((await settled()).media).toMatchObject({ id: expect.any(String), size: 5_000 });
});

test("a host that is away is asked again", async () => {
  await control(simulator, "POST", "/faults", { kind: "media", mode: "away", times: 1 });
  const settled = await write({ type: "document", media: { random: 5_000, mime: "application/x-any" } });
  expect((await settled()).media).toMatchObject({ id: expect.any(String), size: 5_000 });
});

const deadEnds = async (body: object, error: string) => {
  const settled = await write(body);
  // An attempt that is due in minutes is due now.
  const hurry = setInterval(
    () =>
      void workers.database.owner`update media_fetches set next_attempt_at = date_trunc('milliseconds', now())`.then(
        async (): Promise<void> => {
          for (const { message_id } of await workers.database.owner<
            { message_id: string }[]
          >`select message_id from media_fetches`)
            await workers.producer.wake("fetch_media", { business_id: business, message_id }, { expedite: true });
        },
      ),
    200,
  );
  try {
    expect((await settled()).media).toMatchObject({ error });
  } finally {
    clearInterval(hurry);
  }
};

test.each(["garbage", "cut"])(
  "a file that comes as %s again and again is given up, and nothing of it is kept",
  async (mode) => {
    await control(simulator, "POST", "/faults", { kind: "media", mode });
    await deadEnds({ type: "document", media: { random: 100_000, mime: "application/x-any" } }, "mismatch");
  },
);

const placed = async (kind: MediaKind, content: Uint8Array) => {
  const key = randomBytes(32);
  const kept = new Uint8Array(Buffer.concat(await Array.fromAsync(encrypted(once(content), mediaKeys(key, kind)))));
  return {
    direct_path: await simulator.simulation.media!.put(kept),
    media_key: key.toString("base64"),
    file_sha256: createHash("sha256").update(content).digest("base64"),
    file_enc_sha256: createHash("sha256").update(kept).digest("base64"),
    file_length: content.length,
  };
};

test("a message that names another content than it brings is not believed", async () => {
  const pointer = { ...(await placed("image", await picture())), file_sha256: randomBytes(32).toString("base64") };
  await deadEnds({ type: "image", media: { mime: "image/png", pointer } }, "mismatch");
});

test("a file over the cap is not fetched, and one that says it is small and is not is given up on the way", async () => {
  const content = randomBytes(maxBytes.sticker + 1);
  const pointer = await placed("sticker", content);
  await deadEnds({ type: "sticker", media: { mime: "image/webp", pointer } }, "too_large");
  await deadEnds(
    { type: "sticker", media: { mime: "image/webp", pointer: { ...pointer, file_length: 10 } } },
    "mismatch",
  );
});

test("a path that leads to another host is not followed", async () => {
  let asked = 0;
  const elsewhere = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: trustedCertificate(),
    fetch: () => (asked++, new Response("x")),
  });
  const pointer = await placed("image", await picture());
  const direct_path = `/\\127.0.0.1:${elsewhere.port}/v/x`;
  const settled = await write({ type: "image", media: { mime: "image/png", pointer: { ...pointer, direct_path } } });
  await settled();
  expect(asked).toBe(0);
  await elsewhere.stop(true);
});

test("a picture is sent: the phone opens what was uploaded, byte for byte, and sees a preview", async () => {
  const content = await picture();
  const media = await keep(content);
  const { shown, file } = await send({ type: "image", media: { id: media.id, mime: media.mime }, caption: "here" });
  expect(shown).toMatchObject({
    type: "image",
    text: "here",
    media: { mime: "image/png", width: 640, has_preview: true },
  });
  expect(sha256(file)).toBe(sha256(content));
});

test("a document and a voice note go with their names and marks", async () => {
  const content = randomBytes(100_000);
  const document = await keep(content);
  const one = await send({
    type: "document",
    media: { id: document.id, mime: document.mime },
    file_name: "price list.bin",
    caption: "new",
  });
  expect(one.shown).toMatchObject({ type: "document", text: "new", media: { file_name: "price list.bin" } });
  expect(sha256(one.file)).toBe(sha256(content));

  const voice = await keep(Buffer.concat([oggOpus(3), randomBytes(10)]));
  const two = await send({ type: "audio", media: { id: voice.id, mime: voice.mime }, voice: true });
  expect(two.shown).toMatchObject({ type: "audio", media: { mime: "audio/ogg; codecs=opus", voice: true } });
});

test("a file that goes to many is uploaded once", async () => {
  const media = await keep(await picture());
  const paths = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const { shown } = await send({ type: "image", media: { id: media.id, mime: media.mime } });
    paths.add((shown.media as unknown as { pointer: { direct_path: string } }).pointer.direct_path);
  }
  expect(paths.size).toBe(1);
});

test("a text behind a file waits for it in its chat, and in no other", async () => {
  await control(simulator, "POST", "/faults", { kind: "media", mode: "upload_refused" });
  const other = newPhone();
  await makePhone(simulator, other);
  const media = await keep(await picture());
  await workers.queueMessage(
    business,
    `${customer}@s.whatsapp.net`,
    storedContent({ type: "image", media: { id: media.id, mime: media.mime }, caption: "first" }),
  );
  await workers.queueMessage(business, `${customer}@s.whatsapp.net`, "second");
  await workers.queueMessage(business, `${other}@s.whatsapp.net`, "at once");
  await workers.producer.wake("send", { business_id: business });
  await until(async () => (await shownTo(other)).some(({ text }) => text === "at once"), { what: "the other chat" });
  const texts = async () =>
    (await shownTo(customer)).flatMap(({ text }) => (text === "first" || text === "second" ? [text] : []));
  expect(await texts()).toEqual([]);
  await control(simulator, "DELETE", "/faults");
  await until(async () => (await texts()).length === 2, { what: "the chat that waited", deadlineMs: 30_000 });
  expect(await texts()).toEqual(["first", "second"]);
});

test("what WhatsApp does not show as this kind fails, and says why", async () => {
  const media = await keep(randomBytes(1_000));
  const id = await workers.queueMessage(
    business,
    `${customer}@s.whatsapp.net`,
    storedContent({ type: "image", media: { id: media.id, mime: media.mime } }),
  );
  await workers.producer.wake("send", { business_id: business });
  const row = await until(
    async () => (await workers.rows(business)).find((one) => one.id === id && one.status === "failed"),
    {
      what: "the refusal",
    },
  );
  expect(row).toMatchObject({ error_code: "media_refused", error_message: expect.stringContaining("document") });
});

test("a document of 100 MB goes into the store, to WhatsApp's host and back, byte for byte, in a fraction of its size", async () => {
  const host = simulator.simulation.media!.address;
  const child = Bun.spawn([process.execPath, "run", join(import.meta.dir, "large.fixture.ts"), host, "100"], {
    env: { ...process.env, TMPDIR: folder },
    stdout: "pipe",
    stderr: "inherit",
  });
  const said = JSON.parse(await new Response(child.stdout).text()) as { same: boolean; grew_mb: number };
  expect(said.same).toBeTrue();
  // About 50, whether it has 32 MB or 100: buffers of the sockets, and what is yet to be collected.
  expect(said.grew_mb).toBeLessThan(80);
});

/** The first page of an Opus stream, and a last one that says how long it plays. */
function oggOpus(seconds: number): Buffer {
  const page = (type: number, granule: number, sequence: number, body: Buffer) => {
    const head = Buffer.alloc(28);
    head.write("OggS");
    head[5] = type;
    head.writeBigUInt64LE(BigInt(granule), 6);
    head.writeUInt32LE(1, 14);
    head.writeUInt32LE(sequence, 18);
    head[26] = 1;
    head[27] = body.length;
    return Buffer.concat([head, body]);
  };
  const opusHead = Buffer.from("4f707573486561640101380180bb0000000000", "hex");
  const opusTags = Buffer.concat([Buffer.from("OpusTags"), Buffer.alloc(8)]);
  return Buffer.concat([
    page(2, 0, 0, opusHead),
    page(0, 0, 1, opusTags),
    page(4, seconds * 48_000, 2, randomBytes(50)),
  ]);
}
