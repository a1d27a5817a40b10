/*
 * Decodes untrusted bytes to text, chunk by chunk. The charset is that of the byte order mark, else the one that the
 * sender declared, else UTF-8. Invalid bytes are an error; they are never replaced by U+FFFD.
 */

/** The bytes are not valid in the charset that decoded them. */
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
  /** Returns the characters that these bytes complete. Throws NotInCharset. */
  read(bytes: Uint8Array): string;
  /** Returns the rest. Throws NotInCharset if the bytes end within a character. */
  end(): string;
};

/** Creates a reader for a declared charset. Throws UnknownCharset. */
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
