import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../../../lib/testing/certificate.ts";
import { judgeCertificate, judgeReference } from "../checks/edge.ts";
import { readCertificate, readReference } from "./edge.ts";

let folder: string;
let ca: string;
let server: Bun.Server<undefined>;
let address: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-doctor-"));
  const { certFile, keyFile } = makeCertificate(folder);
  ca = await readFile(certFile, "utf8");
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: ca, key: await readFile(keyFile, "utf8") },
    fetch: ({ url }) =>
      new URL(url).pathname === "/v1/openapi.json" ? Response.json({}) : new Response("", { status: 404 }),
  });
  address = `https://127.0.0.1:${server.port}`;
});
afterAll(async () => {
  await server.stop(true);
  await rm(folder, { recursive: true });
});

const severities = (faults: readonly { severity: string }[]) => faults.map(({ severity }) => severity);

describe("the certificate of an address", () => {
  test("is read with its end", async () => {
    const certificate = await readCertificate(address, ca);
    expect(certificate).toMatchObject({ refusal: null });
    // It is valid for a day.
    expect(severities(judgeCertificate(address, certificate, Date.now()))).toEqual(["warning"]);
    expect(severities(judgeCertificate(address, certificate, Date.now() - 20 * 86_400_000))).toEqual([]);
  });

  test("of another authority is refused", async () => {
    const other = await mkdtemp(join(tmpdir(), "prosaas-doctor-"));
    const foreign = await readFile(makeCertificate(other).certFile, "utf8");
    const certificate = await readCertificate(address, foreign);
    await rm(other, { recursive: true });
    const [fault] = judgeCertificate(address, certificate, Date.now() - 20 * 86_400_000);
    expect(fault?.found).toContain("Clients refuse the certificate");
  });

  test("is missed where nothing listens", async () => {
    const free = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const { port } = free;
    await free.stop(true);
    const certificate = await readCertificate(`https://127.0.0.1:${port}`, ca);
    expect(severities(judgeCertificate(address, certificate, Date.now()))).toEqual(["error"]);
  });
});

test("the API's reference is read over TLS", async () => {
  expect(judgeReference(address, await readReference(address, ca))).toEqual([]);
  expect(severities(judgeReference(address, await readReference(address.replace("https", "http"), ca)))).toEqual([
    "error",
  ]);
});
