import { createHash } from "node:crypto";
import { base32crockford } from "@scure/base";
import QRCode from "qrcode";
import { AppError } from "../../../lib/core/errors.ts";

/*
 * A sealed export as text to print: lines of Crockford's base32, whose letters cannot be confused with digits, each
 * with its number and two check characters, and a QR code of the same. Both are read by `task secrets:restore`.
 */

const groupLength = 5;
const groupsPerLine = 8;
const lineLength = groupLength * groupsPerLine;
/** A QR code begins with it. All its characters, and those of base32, take the least room in a QR code. */
const qrPrefix = "PROSAAS1:";

/** Two characters that find the line with a typing error: 1 in 1,024 of such errors stays for age to find. */
const checkOf = (number: number, data: string): string =>
  base32crockford.encode(createHash("sha256").update(`${number} ${data}`).digest().subarray(0, 2)).slice(0, 2);

export type PaperHead = { cluster: string; exportedAt: string; contents: readonly string[] };

export async function printPaper(sealed: Uint8Array, { cluster, exportedAt, contents }: PaperHead): Promise<string> {
  const data = base32crockford.encode(sealed);
  const parts = inParts(data, lineLength);
  const lines = parts.map((line, index) => {
    const number = `${index + 1}/${parts.length}`.padStart(5);
    return `${number}  ${inParts(line, groupLength).join(" ")}  ${checkOf(index + 1, line)}`;
  });
  // Of numbers and capitals only, it is smaller than with the bytes themselves.
  const qr = await QRCode.toString(`${qrPrefix}${data}`, { type: "utf8", errorCorrectionLevel: "L" });
  return `ProSaaS keys of ${cluster}, sealed with a passphrase on ${exportedAt.slice(0, 10)}.
Contents: ${contents.join(", ")}. Without them, logins and files cannot be opened again.
To restore: scan the QR code, or type the numbered lines, into a file, then task secrets:restore FROM=FILE.
The last two characters of a line find its typing errors; 0 and O, and 1, I and L, are the same.

${lines.join("\n")}

${qr}
`;
}

const inParts = (text: string, length: number): string[] => text.match(new RegExp(`.{1,${length}}`, "g")) ?? [];

const numbered = /^\s*(\d+)\/(\d+)\s+([0-9a-z][0-9a-z ]*?)\s*$/i;

export const isPaper = (text: string): boolean =>
  text.includes(qrPrefix) || text.split("\n").some((line) => numbered.test(line));

/** The sealed bytes of a paper. @throws AppError that names the line with a typing error, or one that is missing */
export function parsePaper(text: string): Uint8Array {
  const scanned = new RegExp(`${qrPrefix}([0-9A-Z]+)`, "i").exec(text)?.[1];
  try {
    return base32crockford.decode(scanned ?? typed(text));
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("invalid_request", "The paper's text is incomplete.", { cause });
  }
}

function typed(text: string): string {
  const lines = text
    .split("\n")
    .map((line) => numbered.exec(line))
    .filter((match) => match !== null)
    .map(([, number, count, characters]) => {
      // Crockford's forms of what a person may have read in them.
      const normal = characters!.replaceAll(" ", "").toUpperCase().replaceAll("O", "0").replaceAll(/[IL]/g, "1");
      return { number: Number(number), count: Number(count), data: normal.slice(0, -2), check: normal.slice(-2) };
    })
    .toSorted((a, b) => a.number - b.number);
  for (let number = 1; number <= Math.max(lines.length, lines[0]?.count ?? 0); number++) {
    const line = lines[number - 1];
    if (line?.number !== number) throw new AppError("invalid_request", `Line ${number} is missing or occurs twice.`);
    if (checkOf(number, line.data) !== line.check)
      throw new AppError("invalid_request", `Line ${number} has a typing error.`);
  }
  return lines.map(({ data }) => data).join("");
}
