import { describe, expect, test } from "bun:test";
import { allowedHosts } from "./media_host.ts";

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
