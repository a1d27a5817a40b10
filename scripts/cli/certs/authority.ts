import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { runProgram } from "../../stack/program.ts";
import { writeStateFile } from "../../stack/state_file.ts";
import type { ClusterFolder } from "../agents/nodes.ts";

/*
 * The certificate authorities of a cluster: `tls/authority-N.{crt,key}`. Agents trust all of them (`tls/ca.crt`), and
 * the newest signs. With two, the older one can be replaced while every agent runs:
 *
 *   start a second ─▶ agents trust both ─▶ renew all certificates ─▶ agents present new ones ─▶ retire the first
 */

/** By openssl: `consul tls` and `nomad tls` make a certificate for one of the two, and our agents share theirs. */
export async function openssl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(["openssl", ...args], { cwd: "/" });
  if (code !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr.trim()}`);
  return stdout;
}

export const tlsFolder = ({ state }: ClusterFolder): string => join(state, "tls");

/** The certificates of every authority that is trusted. */
export const trustFile = (folder: ClusterFolder): string => join(tlsFolder(folder), "ca.crt");

/** An authority: its number counts up from 1. */
export type Authority = { number: number; certificate: string; key: string };

const authorityOf = (folder: ClusterFolder, number: number): Authority => ({
  number,
  certificate: join(tlsFolder(folder), `authority-${number}.crt`),
  key: join(tlsFolder(folder), `authority-${number}.key`),
});

/** The oldest first. */
export async function readAuthorities(folder: ClusterFolder): Promise<Authority[]> {
  const files = await readdir(tlsFolder(folder)).catch(() => []);
  return files
    .flatMap((file) => /^authority-(\d+)\.crt$/.exec(file)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b)
    .map((number) => authorityOf(folder, number));
}

export async function makeKey(file: string): Promise<void> {
  await writeStateFile(file, await openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"));
}

/** Makes the first authority unless there is one. Returns the newest. */
export async function ensureAuthority(folder: ClusterFolder, days: number): Promise<Authority> {
  const newest = (await readAuthorities(folder)).at(-1);
  return newest ?? createAuthority(folder, 1, days);
}

/** Makes an authority beside the one that signed so far. @throws AppError while there are two already */
export async function startAuthority(folder: ClusterFolder, days: number): Promise<Authority> {
  const existing = await readAuthorities(folder);
  if (existing.length > 1)
    throw new AppError("conflict", "There are two authorities: task certs -- retire removes the older one.");
  return createAuthority(folder, (existing.at(-1)?.number ?? 0) + 1, days);
}

async function createAuthority(folder: ClusterFolder, number: number, days: number): Promise<Authority> {
  await mkdir(tlsFolder(folder), { recursive: true, mode: 0o700 });
  const authority = authorityOf(folder, number);
  await makeKey(authority.key);
  const extensions = ["basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign,cRLSign"];
  const options = ["-x509", "-new", "-key", authority.key, "-sha256", "-days", String(days)];
  const subject = ["-subj", `/CN=ProSaaS agents, authority ${number}`];
  const made = await openssl("req", ...options, ...subject, ...extensions.flatMap((one) => ["-addext", one]));
  await writeStateFile(authority.certificate, made);
  await writeTrust(folder);
  return authority;
}

async function writeTrust(folder: ClusterFolder): Promise<void> {
  const all = await readAuthorities(folder);
  const texts = await Promise.all(all.map(({ certificate }) => readFile(certificate, "utf8")));
  await writeStateFile(trustFile(folder), texts.join(""));
}

/** Removes an authority. @throws AppError for the only one */
export async function removeAuthority(folder: ClusterFolder, { number, certificate, key }: Authority): Promise<void> {
  if ((await readAuthorities(folder)).length < 2)
    throw new AppError(
      "conflict",
      `Authority ${number} is the only one: task certs -- renew --authority makes another.`,
    );
  for (const file of [certificate, key]) if (existsSync(file)) await Bun.file(file).delete();
  await writeTrust(folder);
}
