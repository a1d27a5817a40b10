import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../../../lib/testing/certificate.ts";
import { until } from "../../../../lib/testing/until.ts";
import { control } from "../../testing/control.ts";
import type { Simulator } from "../../simulator.ts";
import { startSimulator } from "../../simulator.ts";

const folder = mkdtempSync(join(tmpdir(), "simulator-media-"));
const certFile = join(folder, "cert.pem");
let simulator: Simulator;

beforeAll(() => {
  const { keyFile } = makeCertificate(folder);
  const tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  simulator = startSimulator({ folder: join(folder, "data"), media: { tls, publicHost: "localhost" } });
});
afterAll(async () => {
  await simulator.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("the media host", () => {
  test("returns a document that Baileys uploaded", async () => {
    const line = "pizza 9.50\n";
    const client = Bun.spawn(
      [
        process.execPath,
        "run",
        join(import.meta.dir, "media_client.fixture.ts"),
        simulator.url,
        simulator.wsUrl,
        simulator.rootBase64,
        line,
      ],
      {
        env: { PATH: process.env["PATH"], NODE_EXTRA_CA_CERTS: certFile, TMPDIR: folder },
        stdout: "pipe",
        stderr: "inherit",
      },
    );
    expect(await new Response(client.stdout).text()).toBe(line.repeat(20_000));
    expect(await client.exited).toBe(0);
    const { body } = await control(simulator.url).get<{ data: { phone: string; devices: unknown[] }[] }>("/phones");
    const contact = body.data.find(({ devices }) => devices.length === 0);
    const shown = async () => (await control(simulator.url).messages(contact!.phone)).data;
    await until(async () => (await shown()).length > 0, { what: "the message" });
    expect(await shown()).toMatchObject([{ type: "document", text: "the menu" }]);
  });

  test("answers 404 to unknown and escaping paths", async () => {
    const address = simulator.simulation.media!.address;
    for (const path of ["/v/0000", `/v/${"0".repeat(64)}`, "/v/..%2Fsimulator.sqlite"]) {
      expect((await fetch(`https://${address}${path}`, { tls: { ca: readFileSync(certFile, "utf8") } })).status).toBe(
        404,
      );
    }
  });
});
