import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { createConsul } from "../../lib/consul/client.ts";
import { startConsulServer } from "../../lib/testing/consul_server.ts";
import type { ConsulServer } from "../../lib/testing/consul_server.ts";
import { freePort } from "../../lib/testing/free_port.ts";
import { startNomadServer } from "../../lib/testing/nomad_server.ts";
import type { NomadServer } from "../../lib/testing/nomad_server.ts";
import { programCommand, programEnv } from "../../lib/testing/program.ts";
import { until } from "../../lib/testing/until.ts";
import { connectVariables } from "../../services/acme/variables.ts";
import { startEdge } from "../lab/rig/edge.ts";
import type { Edge } from "../lab/rig/edge.ts";
import { openEvents, startInstance } from "./edge_streams.ts";
import { send } from "./edge_under_test.ts";
import { startPebble } from "./pebble.ts";
import type { Pebble } from "./pebble.ts";

/*
 * The job acme, lego and Pebble: certificates by http-01 through the edge, which consul-template feeds from a Nomad
 * variable as Nomad does. The name of the certificate is one that Consul's DNS resolves to the edge.
 */
const domain = "prosaas-edge.service.consul";
let folder: string;
let consulServer: ConsulServer;
let nomad: NomadServer;
let pebble: Pebble;
let edge: Edge;
let acmePort: number;
const api = startInstance("inside");

const variables = () => connectVariables(nomad.addr, undefined);
const certificateInNomad = async () => (await variables().read("nomad/jobs/nginx")).items["tls_certificate"];

/** Runs the job once. */
async function runAcme(env: Record<string, string> = {}): Promise<{ code: number; log: string }> {
  const { items } = await variables().read("nomad/jobs/acme");
  const child = Bun.spawn(programCommand("services/acme/main.ts"), {
    env: {
      ...programEnv(),
      CONSUL_HTTP_ADDR: consulServer.addr,
      NOMAD_ADDR: nomad.addr,
      NOMAD_SECRETS_DIR: folder,
      NOMAD_IP_http: "127.0.0.1",
      NOMAD_PORT_http: String(acmePort),
      ACME_DOMAINS: domain,
      ACME_EMAIL: "operator@example.com",
      ACME_DIRECTORY: pebble.directory,
      ACME_CA: pebble.authority,
      ...items,
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const [log, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  return { code, log };
}

/** The certificate that the edge presents. */
function presented(): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: edge.httpsPort, rejectUnauthorized: false }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-acme-"));
  const httpPort = await freePort();
  [consulServer, nomad, acmePort] = await Promise.all([startConsulServer(), startNomadServer(), freePort()]);
  pebble = await startPebble(join(folder, "pebble"), { httpPort, dnsPort: consulServer.dnsPort });
  const consul = createConsul({ addr: consulServer.addr });
  const register = (name: string, port: number) =>
    consul.api.agent.service.register({ name, address: "127.0.0.1", port });
  await register("prosaas-api", api.port!);
  // As the service block of the job does.
  await register("prosaas-acme", acmePort);
  const edgeFolder = join(folder, "edge");
  await mkdir(edgeFolder);
  const ready = async (port: number) => (await send(port, "GET /v1/x HTTP/1.1\r\nHost: edge")).status === 200;
  const starting = startEdge(edgeFolder, consulServer.addr, ready, { nomadAddr: nomad.addr, httpPort });
  // An edge without a certificate does not start: the job stores a temporary one first.
  const first = runAcme();
  edge = await starting;
  await register("prosaas-edge", edge.httpsPort);
  const { code, log } = await first;
  if (code !== 0) throw new Error(`the first run failed: ${log}`);
}, 120_000);
afterAll(async () => {
  await edge?.stop();
  await Promise.all([api.stop(true), pebble?.stop(), consulServer.stop(), nomad.stop()]);
  await rm(folder, { recursive: true, force: true });
});

describe("the job acme", () => {
  test("obtains the first certificate", async () => {
    const certificate = await presented();
    expect(certificate.checkHost(domain)).toBe(domain);
    expect(certificate.issuer).toContain("Pebble");
    expect(new X509Certificate((await certificateInNomad())!).fingerprint256).toBe(certificate.fingerprint256);
  });

  test("leaves a certificate that is not due", async () => {
    const before = await certificateInNomad();
    const { code, log } = await runAcme();
    expect([code, log.includes("is not due")]).toEqual([0, true]);
    expect(await certificateInNomad()).toBe(before);
  });

  test("renews with the same account, and ends no stream", async () => {
    const account = async () => (await variables().read("nomad/jobs/acme")).items["ACME_ACCOUNT"];
    const [before, formerAccount] = [await presented(), await account()];
    const stream = await openEvents(edge.httpsPort);
    // Pebble's certificates are valid for five years.
    expect(await runAcme({ ACME_RENEW_DAYS: "3650" })).toMatchObject({ code: 0 });
    const after = await presented();
    expect(after.issuer).toContain("Pebble");
    expect(after.fingerprint256).not.toBe(before.fingerprint256);
    expect(await account()).toBe(formerAccount);
    expect(JSON.parse(formerAccount!)).not.toEqual({});
    expect(stream.isOpen()).toBeTrue();
    stream.close();
  });

  test.each([
    ["the authority refuses", { ACME_DOMAINS: `${domain},unknown.service.consul` }, "unknown.service.consul"],
    ["the authority is down", { ACME_DIRECTORY: "https://127.0.0.1:1/dir" }, "refused"],
  ])("keeps the certificate where %s", async (_, env, reason) => {
    const [before, stored] = [await presented(), await certificateInNomad()];
    const { code, log } = await runAcme({ ACME_RENEW_DAYS: "3650", ...env });
    expect(code).toBe(1);
    expect(log).toContain(reason);
    expect(await certificateInNomad()).toBe(stored);
    expect((await presented()).fingerprint256).toBe(before.fingerprint256);
  });
});

describe("challenges of strangers", () => {
  /** Names of the headers of each request that reached the job. */
  const asked: string[][] = [];
  const token = "a".repeat(43);
  const ask = (method: string, path: string, more = "") =>
    send(edge.httpsPort, `${method} ${path} HTTP/1.1\r\nHost: edge\r\nContent-Length: 0${more}`);

  test("reach the job with a token only", async () => {
    const job = Bun.serve({
      hostname: "127.0.0.1",
      port: acmePort,
      fetch: ({ headers }) => (asked.push([...headers.keys()]), new Response("challenge")),
    });
    const headers = "\r\nAuthorization: Bearer secret\r\nCookie: a=b\r\nX-Forwarded-For: 1.2.3.4";
    expect((await ask("GET", `/.well-known/acme-challenge/${token}`, headers)).body).toBe("challenge");
    expect(asked[0]).toContain("host");
    expect(asked[0]!.filter((name) => name !== "host" && name !== "connection")).toEqual([]);
    for (const [method, path, status] of [
      ["POST", `/.well-known/acme-challenge/${token}`, 403],
      ["GET", "/.well-known/acme-challenge/", 404],
      ["GET", "/.well-known/acme-challenge/short", 404],
      ["GET", `/.well-known/acme-challenge/${"a".repeat(129)}`, 404],
      ["GET", `/.well-known/acme-challenge/${token}/x`, 404],
      ["GET", `/.well-known/acme-challenge/../${token}`, 400],
      ["GET", `/.well-known/acme-challenge/%2e%2e%2f${token}`, 400],
      ["GET", `/.well-known/${token}`, 404],
    ] as const)
      expect([method, path, (await ask(method, path)).status]).toEqual([method, path, status]);
    expect(asked).toHaveLength(1);
    const plain = await send(edge.httpPort, `GET /.well-known/acme-challenge/${token} HTTP/1.1\r\nHost: edge`, {
      tls: false,
    });
    expect(plain.body).toBe("challenge");
    await job.stop(true);
  });

  test("find nothing without the job", async () => {
    const consul = createConsul({ addr: consulServer.addr });
    await consul.api.agent.service.deregister("prosaas-acme");
    const path = `/.well-known/acme-challenge/${token}`;
    // The workers of the configuration before take requests until they have ended.
    const gone = async () => {
      const plain = send(edge.httpPort, `GET ${path} HTTP/1.1\r\nHost: edge`, { tls: false });
      return (await Promise.all([ask("GET", path), plain])).every(({ status }) => status === 404);
    };
    await until(gone, { what: "the edge without the job" });
  });
});
