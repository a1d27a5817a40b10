import { armor, Decrypter, Encrypter } from "age-encryption";
import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { jsonOrUndefined } from "../../../lib/core/json.ts";
import type { Variables } from "./variables.ts";
import { isPaper, parsePaper } from "./paper.ts";

/** A stolen file is attacked at leisure: scrypt slows each guess, and the length makes there be enough of them. */
export const minPassphrase = 12;

/** age's own: 2^18 rounds, about a second a guess. */
const defaultWorkFactor = 18;

const format = "prosaas-secrets/1";

const contents = z.object({
  format: z.literal(format),
  exported_at: z.iso.datetime(),
  variables: z.record(z.string().regex(/^(prosaas\/|nomad\/jobs)/), z.record(z.string(), z.string())),
});

export type Export = { exportedAt: string; variables: Variables };

/**
 * Seals variables in the format of age (age-encryption.org/v1), under a key that scrypt derives from the passphrase.
 * `age -d` opens it, too.
 */
export async function seal(
  { exportedAt, variables }: Export,
  passphrase: string,
  workFactor = defaultWorkFactor,
): Promise<Uint8Array> {
  if (passphrase.length < minPassphrase) {
    const advice = `Take at least ${minPassphrase} characters, such as five words of a list.`;
    throw new AppError("invalid_request", `The passphrase is too short. ${advice}`);
  }
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(workFactor);
  return encrypter.encrypt(JSON.stringify({ format, exported_at: exportedAt, variables }));
}

export const armored = (sealed: Uint8Array): string => `${armor.encode(sealed).trim()}\n`;

/** Opens what `seal` made, as an armored file or as the text of a paper. @throws AppError if it cannot be opened */
export async function open(text: string, passphrase: string): Promise<Export> {
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  const plain = await decrypter.decrypt(bytesOf(text), "text").catch((cause: unknown) => {
    throw new AppError("invalid_request", "It does not open: the passphrase is wrong, or the text was altered.", {
      cause,
    });
  });
  const parsed = contents.safeParse(jsonOrUndefined(plain));
  if (!parsed.success)
    throw new AppError("invalid_request", "It opens, but no export of task secrets:export is in it.");
  return { exportedAt: parsed.data.exported_at, variables: parsed.data.variables };
}

function bytesOf(text: string): Uint8Array {
  if (isPaper(text)) return parsePaper(text);
  try {
    return armor.decode(text.trim());
  } catch (cause) {
    throw new AppError("invalid_request", "This is neither a file nor a paper of task secrets:export.", { cause });
  }
}
