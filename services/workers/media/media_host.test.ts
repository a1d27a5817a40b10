import { describe, expect, test } from "bun:test";
import { allowedHosts, download, HostRefusal } from "./media_host.ts";

describe("download", () => {
  test("asks by https only, and the configured host only", async () => {
    let asked = 0;
    const plain = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => {
        asked += 1;
        return new Response("a file");
      },
    });
    const host = `127.0.0.1:${plain.port}`;
    for (const path of [
      `http://${host}/file`,
      "http://127.0.0.1/file",
      "https://other.example/file",
      "//other.example/file",
      "file:///etc/passwd",
    ]) {
      const read = async () => {
        for await (const _ of download(host, path, { signal: AbortSignal.timeout(5_000) }));
      };
      await expect(read(), path).rejects.toThrow("leads to another host or scheme");
    }
    expect(asked).toBe(0);
    await plain.stop(true);
  });

  test("calls a path to elsewhere gone", () => {
    expect(new HostRefusal(404, "").isGone).toBeTrue();
  });
});

describe("allowedHosts", () => {
  test("keeps WhatsApp's and the configured host, in order", () => {
    const hosts = ["media-fra3-1.cdn.whatsapp.net", "localhost:8443", "mmg.whatsapp.net"];
    expect(allowedHosts(hosts, "localhost:8443")).toEqual(hosts);
    expect(allowedHosts(hosts, "mmg.whatsapp.net")).toEqual([hosts[0]!, hosts[2]!]);
  });

  test("drops what only looks like WhatsApp's", () => {
    const hosts = [
      "whatsapp.net",
      "evilwhatsapp.net",
      "mmg.whatsapp.net.evil.example",
      "mmg.whatsapp.net:8443",
      "evil.example/.whatsapp.net",
      "evil.example?.whatsapp.net",
      "evil.example#.whatsapp.net",
      "user@mmg.whatsapp.net",
      "169.254.169.254",
      "",
    ];
    expect(allowedHosts(hosts, "mmg.whatsapp.net")).toEqual([]);
  });
});
