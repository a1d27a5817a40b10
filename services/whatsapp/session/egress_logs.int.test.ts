import { afterEach, describe, expect, test } from "bun:test";
import { startHttpProxy, startHttpsProxy, startSocksProxy } from "../../../lib/egress/proxies.fixture.ts";
import type { TestProxy } from "../../../lib/egress/proxies.fixture.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { trustedCertificate } from "../../../lib/testing/certificate.ts";
import { until } from "../../../lib/testing/until.ts";
import { processScenario } from "../testing/shard_process.ts";
import { newPhone } from "../testing/shard_under_test.ts";

const scenario = processScenario();
let proxies: TestProxy[] = [];
afterEach(async () => {
  for (const proxy of proxies) await proxy.stop();
});

/** Every form in which the credentials could be written. */
const formsOf = (url: string) => {
  const { username, password } = new URL(url);
  const plain = `${username}:${decodeURIComponent(password)}`;
  return [password, decodeURIComponent(password), Buffer.from(plain).toString("base64")];
};

describe("a shard with broken egress proxies", () => {
  test("logs no credentials and opens the other sessions", async () => {
    const { simulator, launch } = scenario;
    proxies = [await startHttpProxy(), await startHttpsProxy(trustedCertificate()), await startSocksProxy()];
    const refused = proxies.map(({ url }) => url.replace("anna", "mallory"));
    const dead = ["http", "https", "socks5"].map((protocol) => `${protocol}://anna:s3cret%21@127.0.0.1:1`);
    const broken = Object.fromEntries([...refused, ...dead].map((url) => [uuidv7(), url]));
    const [direct, proxied] = [uuidv7(), uuidv7()];
    const businesses = { ...broken, [proxied]: proxies[0]!.url };
    const shard = launch({
      EGRESS_PROXIES: JSON.stringify({ businesses }),
      LOG_LEVEL: "trace",
      NODE_EXTRA_CA_CERTS: process.env["NODE_EXTRA_CA_CERTS"] ?? "",
    });
    for (const id of Object.keys(broken)) await shard.json("POST", `/sessions/${id}/connect`, { method: "qr" });
    for (const id of [direct, proxied]) await shard.pair(simulator, id, newPhone());
    for (const id of Object.keys(broken)) {
      const reason = async () => (await shard.view(id)).reason?.includes("egress proxy");
      await until(reason, { what: `the reason of ${businesses[id]}` });
      expect((await shard.view(id)).status).toBe("connecting");
    }
    const metrics = await (await shard.request("GET", "/metrics")).text();
    expect(metrics).toContain("whatsapp_egress_proxy_up");
    const sessions = JSON.stringify(await shard.json("GET", "/sessions"));
    shard.process.kill("SIGTERM");
    await shard.exited;
    const shown = shard.log() + metrics + sessions;
    expect(shown).toContain("an egress proxy does not work");
    for (const secret of new Set(Object.values(businesses).flatMap(formsOf))) expect(shown).not.toContain(secret);
  });
});
