import { describe, expect, test } from "bun:test";
import { createTextReader, NotInCharset, UnknownCharset } from "./charset.ts";

function read(bytes: Uint8Array, charset?: string, piece = Math.max(1, bytes.length)): string {
  const reader = createTextReader(charset);
  let text = "";
  for (let at = 0; at < bytes.length; at += piece) text += reader.read(bytes.subarray(at, at + piece));
  return text + reader.end();
}

const sample = "to,שם\n1,Größe 𝒳 €\n";
const bigEndian = (text: string) => Buffer.from(text, "utf16le").swap16();
const withMark = (mark: number[], bytes: Uint8Array) => new Uint8Array([...mark, ...bytes]);

describe("createTextReader", () => {
  const encodings: [name: string, bytes: Uint8Array, charset: string | undefined][] = [
    ["UTF-8", Buffer.from(sample), undefined],
    ["UTF-8 with a mark", withMark([0xef, 0xbb, 0xbf], Buffer.from(sample)), undefined],
    ["UTF-16LE with a mark", withMark([0xff, 0xfe], Buffer.from(sample, "utf16le")), undefined],
    ["UTF-16BE with a mark", withMark([0xfe, 0xff], bigEndian(sample)), undefined],
    ["UTF-16LE by name", Buffer.from(sample, "utf16le"), "utf-16le"],
    ["UTF-16BE by name", bigEndian(sample), "UTF-16BE"],
    ["a mark that contradicts the name", withMark([0xff, 0xfe], Buffer.from(sample, "utf16le")), "windows-1252"],
  ];
  test.each(encodings)("decodes %s in pieces of any size", (_, bytes, charset) => {
    for (const piece of [1, 2, 3, 4, 7, 1_000]) expect(read(bytes, charset, piece), `${piece}`).toBe(sample);
  });

  test("decodes charsets by name", () => {
    const bytes = new Uint8Array([0xf9, 0xec, 0xe5, 0xed]);
    expect(read(bytes, "windows-1255")).toBe("שלום");
    expect(read(bytes, "iso-8859-8")).toBe("שלום");
    expect(read(new Uint8Array([0x47, 0x72, 0xf6, 0xdf, 0x65]), "windows-1252")).toBe("Größe");
    expect(read(new Uint8Array([0x47, 0x72, 0xf6, 0xdf, 0x65]), "ISO-8859-1")).toBe("Größe");
  });

  test("refuses bytes that are invalid in the charset", () => {
    const wrong: [number[], string | undefined][] = [
      [[0x47, 0x72, 0xf6, 0xdf], undefined],
      [[0xed, 0xa0, 0x80], undefined],
      [[0xc3], undefined],
      [[0x61, 0x62, 0x63, 0xe2, 0x82], undefined],
      [[0xff, 0xfe, 0x00, 0xd8, 0x61, 0x00], undefined],
      [[0xff, 0xfe, 0x61], undefined],
      [[0x61, 0x00, 0x00, 0xd8], "utf-16le"],
    ];
    for (const [bytes, charset] of wrong) {
      for (const piece of [1, 2, 100]) {
        expect(() => read(new Uint8Array(bytes), charset, piece), `${bytes.join()} by ${piece}`).toThrow(NotInCharset);
      }
    }
  });

  test("refuses an unknown charset", () => {
    for (const charset of ["utf-32", "utf-7", "klingon", ""])
      expect(() => createTextReader(charset)).toThrow(UnknownCharset);
  });

  test("decodes an empty input", () => {
    expect(read(new Uint8Array(0))).toBe("");
    expect(read(new Uint8Array([0xef, 0xbb, 0xbf]))).toBe("");
    expect(read(new Uint8Array([0x61]))).toBe("a");
  });
});
