import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { makeCertificate } from "../../lib/testing/certificate.ts";
import { freePort } from "../../lib/testing/free_port.ts";
import { until } from "../../lib/testing/until.ts";

export type Pebble = {
  /** URL of its ACME directory. */
  directory: string;
  /** PEM of the certificate of that URL. */
  authority: string;
  stop(): Promise<void>;
};

/**
 * Debian's Pebble: Let's Encrypt's server for tests. It validates challenges over HTTP at `httpPort`, by names that the
 * DNS server at `dnsPort` resolves, and rejects some nonces at random.
 */
export async function startPebble(folder: string, ports: { httpPort: number; dnsPort: number }): Promise<Pebble> {
  await mkdir(folder);
  const { certFile: certificate, keyFile: privateKey } = makeCertificate(folder);
  const [port, management] = [await freePort(), await freePort()];
  const config = join(folder, "pebble.json");
  const addresses = { listenAddress: `127.0.0.1:${port}`, managementListenAddress: `127.0.0.1:${management}` };
  await Bun.write(
    config,
    JSON.stringify({ pebble: { ...addresses, certificate, privateKey, httpPort: ports.httpPort, tlsPort: 1 } }),
  );
  const log = Bun.file(join(folder, "pebble.log"));
  const child = Bun.spawn(["pebble", "-config", config, "-dnsserver", `127.0.0.1:${ports.dnsPort}`], {
    env: { ...process.env, PEBBLE_VA_NOSLEEP: "1" },
    stdin: "ignore",
    stdout: log,
    stderr: log,
  });
  const stop = async () => {
    child.kill();
    await child.exited;
  };
  const directory = `https://127.0.0.1:${port}/dir`;
  const authority = await Bun.file(certificate).text();
  try {
    await until(async () => (await fetch(directory, { tls: { ca: authority } })).ok, { what: "Pebble" });
  } catch (error) {
    await stop();
    throw new Error(`Pebble did not start: ${await log.text()}`, { cause: error });
  }
  return { directory, authority, stop };
}
