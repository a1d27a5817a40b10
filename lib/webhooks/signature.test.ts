import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { KeyRing, TamperedValue } from "../core/key_ring.ts";
import { createWebhookSecrets, generateWebhookSecret, signedHeaders } from "./signature.ts";

test("a signature agrees with the example of the Standard Webhooks specification", () => {
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

test("during a rotation a delivery bears a signature of each secret", () => {
  const secrets = [generateWebhookSecret(), generateWebhookSecret()];
  const sign = (some: string[]) => signedHeaders({ id: "a", at: new Date(0), body: "{}" }, some)["webhook-signature"];
  expect(sign(secrets)).toBe(secrets.map((secret) => sign([secret])).join(" "));
});

test("a secret has the form that receivers' libraries take, and 256 bits", () => {
  const secret = generateWebhookSecret();
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(generateWebhookSecret()).not.toBe(secret);
});

test("a sealed secret does not show, and opens for its own endpoint only", () => {
  const secrets = createWebhookSecrets(KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`));
  const sealed = secrets.seal("endpoint-a", "whsec_c2VjcmV0");
  expect(sealed).toStartWith("k1:");
  expect(sealed).not.toContain("c2VjcmV0");
  expect(secrets.open("endpoint-a", sealed)).toBe("whsec_c2VjcmV0");
  expect(() => secrets.open("endpoint-b", sealed)).toThrow(TamperedValue);
});
