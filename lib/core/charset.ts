/*
 * Bytes of a stranger as text, piece by piece. A byte order mark decides, then the charset that the sender named, then
 * UTF-8. Bytes that are not valid in that charset are an error: they are never replaced.
 */

/** The bytes are not valid in the charset that they were read by. */
export class NotInCharset extends Error {
  readonly charset: string;
  constructor(charset: string) {
    super(`is not valid ${charset}`);
    this.charset = charset;
  }
}

/** A charset that this runtime cannot decode. */
export class UnknownCharset extends Error {
  readonly charset: string;
  constructor(charset: string) {
    super(`the charset "${charset}" is not supported`);
    this.charset = charset;
  }
}

const longestMark = 3;

export type TextReader = {
  /** The text that is complete once these bytes were read. Throws NotInCharset. */
  read(bytes: Uint8Array): string;
  /** The rest. Throws NotInCharset where the bytes end within a character. */
  end(): string;
};

/** Throws UnknownCharset. */
export function createTextReader(named = "utf-8"): TextReader {
  const declared = decoderFor(named);
  let start = new Uint8Array(0);
  let decoder: TextDecoder | undefined;

  const decode = (bytes: Uint8Array, stream: boolean): string => {
    decoder ??= charsetOfMark(bytes) ?? declared;
    try {
      return decoder.decode(bytes, { stream });
    } catch {
      throw new NotInCharset(decoder.encoding);
    }
  };

  return {
    read: (bytes) => {
      if (decoder !== undefined) return decode(bytes, true);
      start = Buffer.concat([start, bytes]);
      return start.length < longestMark ? "" : decode(start, true);
    },
    end: () => (decoder === undefined ? decode(start, false) : decode(new Uint8Array(0), false)),
  };
}

function charsetOfMark(bytes: Uint8Array): TextDecoder | undefined {
  const [first, second, third] = bytes;
  if (first === 0xef && second === 0xbb && third === 0xbf) return decoderFor("utf-8");
  if (first === 0xff && second === 0xfe) return decoderFor("utf-16le");
  if (first === 0xfe && second === 0xff) return decoderFor("utf-16be");
  return undefined;
}

function decoderFor(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch {
    throw new UnknownCharset(charset);
  }
}
