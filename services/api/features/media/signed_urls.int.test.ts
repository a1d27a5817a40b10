import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { describeMedia, finishRecording, forBusiness, recordCall, recordRecording } from "../../../../lib/db/index.ts";
import { endedCall } from "../../../../lib/testing/ended_call.ts";
import { createMediaFixture, png } from "./media.fixture.ts";
import type { MediaFixture } from "./media.fixture.ts";

let api: MediaFixture["api"];
let media: MediaFixture["media"];
let business: MediaFixture["business"];
let other: MediaFixture["other"];
let upload: MediaFixture["upload"];
let download: MediaFixture["download"];
beforeAll(async () => {
  ({ api, media, business, other, upload, download } = await createMediaFixture());
});
afterAll(() => api.close());

describe("a signed URL", () => {
  test("covers business, file, variant and expiry", async () => {
    const { body } = await upload(randomBytes(100));
    const theirs = await upload(randomBytes(100), {}, other);
    const url = new URL(body.url);
    const altered = (change: (url: URL) => void) => {
      const changed = new URL(url);
      change(changed);
      return changed.href;
    };
    const forged = [
      altered((at) => at.searchParams.set("expires", String(Number(at.searchParams.get("expires")) + 1))),
      altered((at) => at.searchParams.set("signature", at.searchParams.get("signature")!.slice(0, -2))),
      altered((at) => at.searchParams.delete("signature")),
      altered((at) => (at.pathname = at.pathname.replace(body.id, theirs.body.id))),
      altered((at) => (at.pathname = at.pathname.replace(business.id, other.id))),
      altered((at) => (at.pathname = at.pathname.replace("/content", "/thumbnail"))),
      theirs.body.url.replace(other.id, business.id),
      media.signer.links(business.id, -1)(body.id, "x").url,
    ];
    for (const address of forged) expect((await download(address)).status, address).toBe(403);
    expect((await download(media.signer.links(business.id, 60)(theirs.body.id, "x").url)).status).toBe(404);
    expect((await download(body.url)).status).toBe(200);
  });

  test("serves ranges", async () => {
    const content = randomBytes(200_000);
    const { url } = (await upload(content)).body;
    const piece = async (range: string) => {
      const response = await download(url, { range });
      return {
        status: response.status,
        range: response.headers.get("content-range"),
        bytes: Buffer.from(await response.arrayBuffer()),
      };
    };
    expect(await piece("bytes=100-199")).toEqual({
      status: 206,
      range: "bytes 100-199/200000",
      bytes: content.subarray(100, 200),
    });
    expect(await piece("bytes=199990-")).toMatchObject({ status: 206, bytes: content.subarray(199_990) });
    expect(await piece("bytes=-5")).toMatchObject({ status: 206, bytes: content.subarray(-5) });
    expect(await piece("bytes=200000-")).toMatchObject({ status: 416, range: "bytes */200000" });
    expect(await piece("bytes=0-1,5-6")).toMatchObject({ status: 200, bytes: content });
    const { etag } = Object.fromEntries((await download(url)).headers);
    expect((await download(url, { "if-none-match": etag! })).status).toBe(304);
  });

  test("serves thumbnails", async () => {
    const { body } = await upload(Buffer.concat([png, Buffer.from([1])]));
    expect(body.thumbnail_url).toBeUndefined();
    await media.store.put(
      "media/thumb",
      (async function* () {
        yield Buffer.from("a jpeg");
      })(),
    );
    await describeMedia(forBusiness(api.database.db, business.id), body.id, {
      width: 1,
      height: 1,
      seconds: null,
      thumbnail_key: "media/thumb",
      preview: null,
    });
    const read = await api.request("GET", `/v1/businesses/${business.id}/media/${body.id}`);
    expect(read.body).toMatchObject({ width: 1, height: 1 });
    const response = await download(read.body.thumbnail_url);
    expect([response.headers.get("content-type"), await response.text()]).toEqual(["image/jpeg", "a jpeg"]);
  });

  test("serves stored recordings of calls", async () => {
    const scope = forBusiness(api.database.db, business.id);
    const [call_sid, recording_sid] = [`CA${"1".repeat(32)}`, `RE${"1".repeat(32)}`];
    await recordCall(scope, endedCall({ call_sid }));
    await recordRecording(scope, {
      recording_sid,
      call_sid,
      url: "https://api.twilio.com/x",
      duration_s: 1,
      channels: 2,
    });
    const recording = async () =>
      (await api.request("GET", `/v1/businesses/${business.id}/calls/${call_sid}`)).body.recordings[0];
    expect(await recording()).toMatchObject({ status: "pending", url: null });
    await media.store.put(
      "recordings/x.wav",
      (async function* () {
        yield Buffer.from("RIFF");
      })(),
    );
    await finishRecording(scope, recording_sid, { status: "stored", storage_key: "recordings/x.wav" });
    const { url } = await recording();
    const response = await download(url);
    expect([response.headers.get("content-type"), await response.text()]).toEqual(["audio/wav", "RIFF"]);
    expect((await download(url.replace(business.id, other.id))).status).toBe(403);
    expect((await download(media.signer.recording(other.id, recording_sid, 60).url)).status).toBe(404);
  });
});
