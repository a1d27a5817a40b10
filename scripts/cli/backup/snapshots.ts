import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { AppError } from "../../../lib/core/errors.ts";
import { answered } from "../operator/http.ts";
import { nomadStream } from "../../stack/nomad.ts";

/*
 * Snapshots of the servers' state, in the formats of `nomad operator snapshot` and `consul snapshot`. That of Nomad
 * holds the keyring (Nomad 1.9 and later: wrapped keys in Raft, and with the default provider "aead" also the key that
 * wraps them), so the Nomad Variables in it can be read. With an external KMS, a restore needs that KMS.
 */

const minutes = 60_000;

/** Needs the capability `snapshot-save` of an operator policy. */
export async function takeNomadSnapshot(addr: string): Promise<Uint8Array> {
  const response = await nomadStream(addr, "/v1/operator/snapshot", AbortSignal.timeout(10 * minutes));
  const content = await contentOf("Nomad", response);
  const digest = response.headers.get("digest");
  const actual = `sha-256=${createHash("sha256").update(content).digest("base64")}`;
  if (digest !== null && digest !== actual)
    throw new AppError("unavailable", "Nomad's snapshot was cut off. Run it again.");
  return content;
}

/** Needs the rule `acl = "write"`. */
export async function takeConsulSnapshot(addr: string): Promise<Uint8Array> {
  const { url, init } = consulRequest(addr);
  return contentOf("Consul", await answered(url, fetch(url, init)));
}

/** Loads a snapshot into a Consul server, and replaces all it had. */
export async function loadConsulSnapshot(addr: string, snapshot: Uint8Array): Promise<void> {
  const { url, init } = consulRequest(addr);
  await contentOf("Consul", await fetch(url, { ...init, method: "PUT", body: Buffer.from(snapshot) }));
}

/** Loads a snapshot into a Nomad server without access control, and replaces all it had. */
export async function loadNomadSnapshot(addr: string, snapshot: Uint8Array): Promise<void> {
  const url = new URL("/v1/operator/snapshot", addr);
  await contentOf("Nomad", await fetch(url, { method: "PUT", body: Buffer.from(snapshot) }));
}

function consulRequest(addr: string): { url: URL; init: RequestInit } {
  const { CONSUL_HTTP_TOKEN: token, CONSUL_CACERT: caFile } = process.env;
  const url = new URL("/v1/snapshot", addr.includes("://") ? addr : `http://${addr}`);
  const init = {
    signal: AbortSignal.timeout(10 * minutes),
    ...(token ? { headers: { "x-consul-token": token } } : {}),
    ...(caFile ? { tls: { ca: readFileSync(caFile, "utf8") } } : {}),
  };
  return { url, init };
}

async function contentOf(server: string, response: Response): Promise<Uint8Array> {
  if (response.ok) return response.bytes();
  const text = (await response.text()).slice(0, 200);
  throw new AppError("unavailable", `${server} answered ${response.status} to the request for a snapshot: ${text}`);
}
