import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { KeyRing, TamperedValue } from "../core/key_ring.ts";
import { createWebhookSecrets, generateWebhookSecret, signedHeaders } from "./signature.ts";

describe("signed headers", () => {
  test("match the example of the specification", () => {
    const headers = signedHeaders(
      { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: new Date(1_614_265_330_000), body: '{"test": 2432232314}' },
      ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    );
    expect(headers).toEqual({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  test("carry one signature per secret during a rotation", () => {
    const secrets = [generateWebhookSecret(), generateWebhookSecret()];
    const sign = (some: string[]) => signedHeaders({ id: "a", at: new Date(0), body: "{}" }, some)["webhook-signature"];
    expect(sign(secrets)).toBe(secrets.map((secret) => sign([secret])).join(" "));
  });

  test("verify with either secret of a rotation", () => {
    const secrets = [generateWebhookSecret(), generateWebhookSecret()];
    const body = JSON.stringify({ type: "message.received", data: { text: "Olá 👋" } });
    const headers = signedHeaders({ id: "delivery", at: new Date(), body }, secrets);
    for (const secret of secrets) expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
    expect(() => new Webhook(generateWebhookSecret()).verify(body, headers)).toThrow("No matching signature");
    expect(() => new Webhook(secrets[0]!).verify(`${body} `, headers)).toThrow("No matching signature");
  });
});

describe("webhook secrets", () => {
  test("have the form that receivers' libraries expect", () => {
    const secret = generateWebhookSecret();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(generateWebhookSecret()).not.toBe(secret);
  });

  test("are sealed for one endpoint only", () => {
    const secrets = createWebhookSecrets(KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`));
    const sealed = secrets.seal("endpoint-a", "whsec_c2VjcmV0");
    expect(sealed).toStartWith("k1:");
    expect(sealed).not.toContain("c2VjcmV0");
    expect(secrets.open("endpoint-a", sealed)).toBe("whsec_c2VjcmV0");
    expect(() => secrets.open("endpoint-b", sealed)).toThrow(TamperedValue);
  });
});
