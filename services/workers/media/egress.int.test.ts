import { afterEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { ProxyPool, zProxies } from "../../../lib/egress/index.ts";
import { startHttpProxy, startHttpsProxy, startSocksProxy } from "../../../lib/egress/proxies.fixture.ts";
import type { TestProxy } from "../../../lib/egress/proxies.fixture.ts";
import { trustedCertificate } from "../../../lib/testing/certificate.ts";
import { until } from "../../../lib/testing/until.ts";
import { sha256, useMediaStage } from "../testing/media.ts";

const stage = useMediaStage();
let pool: ProxyPool | undefined;
let proxy: TestProxy;
afterEach(async () => {
  stage.mediaDeps.egress = undefined;
  pool?.stop();
  await proxy.stop();
});

const use = async (url: string) => {
  pool = await ProxyPool.start({ proxies: zProxies.parse(JSON.stringify({ businesses: { [stage.business]: url } })) });
  stage.mediaDeps.egress = pool;
};
const receive = async (content: Uint8Array) =>
  stage.write({ type: "document", media: { file: Buffer.from(content).toString("base64"), mime: "text/plain" } });

describe.each([
  ["http", startHttpProxy],
  ["https", () => startHttpsProxy(trustedCertificate())],
  ["socks5", startSocksProxy],
] as const)("files of a business with an egress proxy (%s)", (_, start) => {
  test("are fetched and uploaded through it", async () => {
    proxy = await start();
    await use(proxy.url);
    const host = stage.simulator.simulation.media!.address;
    const content = randomBytes(200_001);
    const { media } = await (await receive(content))();
    expect(sha256(await stage.contentOf(media.id!))).toBe(sha256(content));
    expect(proxy.tunnels).toContain(host);
    const sent = randomBytes(100_001);
    const stored = await stage.keep(sent);
    const file = { id: stored.id, mime: "text/plain", size: sent.length };
    expect((await stage.send({ type: "document", media: file })).file).toEqual(sent);
    // Bun uses the same tunnel again.
    expect(proxy.sentBytes()).toBeGreaterThan(sent.length);
  });

  test("wait while it refuses, and never go around it", async () => {
    proxy = await start();
    await use(proxy.url.replace("anna", "mallory"));
    const settled = await receive(randomBytes(1_000));
    const failed = async () => {
      const rows = await stage.workers.database.owner`select from media_fetches where error is not null`;
      return rows.length > 0;
    };
    await until(failed, { what: "the end of an attempt" });
    expect(proxy.tunnels).toEqual([]);
    expect(JSON.stringify([stage.workers.log, stage.workers.lines])).not.toMatch(/mallory|word/);
    await use(proxy.url);
    await stage.workers.database.owner`update media_fetches set next_attempt_at = date_trunc('milliseconds', now())`;
    await stage.workers.producer.wake("fetch_media", { business_id: stage.business }, { expedite: true });
    expect((await settled()).media.id).toBeString();
  });
});
