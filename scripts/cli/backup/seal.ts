import { writeFile } from "node:fs/promises";
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { AppError, messageOf } from "../../../lib/core/errors.ts";

/*
 * Snapshots of Nomad and Consul hold every secret of a cluster, so they are encrypted for public keys of age. The
 * machine that makes backups has no key that opens them. `age --decrypt -i FILE` of Debian opens them by hand.
 */

export async function seal(content: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return encrypter.encrypt(content);
}

/** @throws AppError if the identity is that of no recipient, or if the content was altered. */
export async function open(sealed: Uint8Array, identity: string): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return decrypter.decrypt(sealed).catch((error: unknown) => {
    throw new AppError("forbidden", `The identity does not open this backup: ${messageOf(error)}.`, { cause: error });
  });
}

/** Reads the identity from a file as age-keygen writes it: comments, and one line with the key. */
export async function readIdentity(path: string): Promise<string> {
  const text = await Bun.file(path)
    .text()
    .catch((error: unknown) => {
      throw new AppError("not_found", `${path} cannot be read: ${messageOf(error)}.`, { cause: error });
    });
  const identity = text.split("\n").find((line) => line.startsWith("AGE-SECRET-KEY-1"));
  if (identity === undefined) throw new AppError("invalid_request", `${path} has no identity of age.`);
  return identity.trim();
}

/** Writes a new identity to a file that does not exist, and returns its public key. */
export async function createIdentity(path: string): Promise<string> {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  await writeFile(path, `# public key: ${recipient}\n${identity}\n`, { mode: 0o600, flag: "wx" }).catch(
    (error: unknown) => {
      throw new AppError("conflict", `${path} cannot be written: ${messageOf(error)}.`, { cause: error });
    },
  );
  return recipient;
}
