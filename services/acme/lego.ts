import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Pair } from "./certificate.ts";
import type { AcmeConfig } from "./config.ts";

/** Ten times what an order takes. */
const deadlineMs = 5 * 60_000;
/** Where Debian's package ca-certificates has the public authorities, below /usr, which tasks see. */
const publicAuthorities = "/usr/share/ca-certificates/mozilla";

export type Order = {
  /** Null if lego failed. */
  readonly pair: Pair | null;
  /** The account, for the next order: also after a failure, so that no order registers another one. */
  readonly account: string;
  /** The output of lego, which names the authority's reason. */
  readonly output: string;
};

/** Files below `accounts/` in lego's folder by their paths. */
const zAccount = z.record(z.string().regex(/^accounts\/(?!.*\.\.)/), z.string());

/** Orders a certificate from the authority with lego, which answers the challenges at the task's port. */
export async function order(config: AcmeConfig): Promise<Order> {
  const folder = await mkdtemp(join(config.NOMAD_SECRETS_DIR, "acme-"));
  try {
    for (const [path, text] of Object.entries(zAccount.parse(JSON.parse(config.ACME_ACCOUNT)))) {
      await mkdir(join(folder, dirname(path)), { recursive: true });
      await Bun.write(join(folder, path), text, { mode: 0o600 });
    }
    const { code, output } = await runLego(config, folder);
    return {
      pair: code === 0 ? await readPair(folder, config.ACME_DOMAINS[0]!) : null,
      ...(await account(folder)),
      output,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function runLego(config: AcmeConfig, folder: string): Promise<{ code: number; output: string }> {
  const authority: Record<string, string> = { SSL_CERT_DIR: publicAuthorities };
  if (config.ACME_CA !== undefined) {
    authority["LEGO_CA_CERTIFICATES"] = join(folder, "authority.pem");
    await Bun.write(join(folder, "authority.pem"), config.ACME_CA);
  }
  const who = ["--server", config.ACME_DIRECTORY, "--email", config.ACME_EMAIL, "--accept-tos", "--path", folder];
  const how = ["--key-type", "ec256", "--http", "--http.port", `${config.NOMAD_IP_http}:${config.NOMAD_PORT_http}`];
  const lego = Bun.spawn(
    ["lego", ...who, ...how, ...config.ACME_DOMAINS.flatMap((name) => ["--domains", name]), "run"],
    {
      env: { PATH: config.PATH, HOME: folder, ...authority },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: deadlineMs,
    },
  );
  const [stdout, stderr, code] = await Promise.all([
    new Response(lego.stdout).text(),
    new Response(lego.stderr).text(),
    lego.exited,
  ]);
  return { code, output: `${stdout}${stderr}`.trim() };
}

async function readPair(folder: string, domain: string): Promise<Pair> {
  const read = (kind: string) => Bun.file(join(folder, "certificates", `${domain}.${kind}`)).text();
  const [certificate, key] = await Promise.all([read("crt"), read("key")]);
  return { certificate, key };
}

async function account(folder: string): Promise<{ account: string }> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => path.startsWith("accounts/"))
    .toSorted();
  const texts = await Promise.all(files.map((path) => Bun.file(join(folder, path)).text()));
  return { account: JSON.stringify(Object.fromEntries(files.map((path, index) => [path, texts[index]!]))) };
}
