import { Busboy } from "@fastify/busboy";
import type { BusboyFileStream, BusboyInstance } from "@fastify/busboy";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AppError } from "../../../../lib/core/errors.ts";

/** The stream of a file in a form. */
export type FormFile = {
  /** Throws if the form is malformed or contains a second file. */
  bytes: AsyncIterable<Uint8Array>;
  /** The Content-Type of the file's part. */
  declared: string;
};

/** Browsers and curl add one or two fields to a file. */
const limits = { files: 1, fields: 16, parts: 18, fieldSize: 1_024, fieldNameSize: 128, headerPairs: 16 };

export function isForm(contentType: string | undefined): contentType is string {
  return /^\s*multipart\//i.test(contentType ?? "");
}

/**
 * Streams the one file of a multipart/form-data body (RFC 7578), with backpressure.
 * @throws AppError "invalid_request" if the form is malformed or has no file, and any error of `body`.
 */
export async function fileOfForm(body: ReadableStream<Uint8Array>, contentType: string): Promise<FormFile> {
  const parser = createParser(contentType);
  const source = Readable.from(chunksOf(body), { objectMode: false });
  const { promise: found, resolve, reject } = Promise.withResolvers<FormFile>();
  let fault: AppError | undefined;
  let open: BusboyFileStream | undefined;

  const parsed = pipeline(source, parser).then(
    () => (fault === undefined ? undefined : Promise.reject(fault)),
    (error: unknown) => Promise.reject(fault ?? formError(error)),
  );
  const refuse = (detail: string) => {
    fault = new AppError("invalid_request", detail);
    source.destroy(fault);
  };
  parser.on("filesLimit", () => refuse("The form has several files. Upload one file per request."));
  parser.on("partsLimit", () => refuse(`The form has more than ${limits.parts} parts. Send only the file.`));
  parser.on("fieldsLimit", () => refuse(`The form has more than ${limits.fields} fields. Send only the file.`));
  parser.on("file", (_field, file, _name, encoding, mime) => {
    open = file;
    // `parsed` reports the error to the reader. Without a listener, the event would end the process.
    file.on("error", () => {});
    if (!/^(7bit|8bit|binary)$/i.test(encoding))
      refuse(`The file's Content-Transfer-Encoding is ${encoding}. Send it as binary.`);
    resolve({ declared: mime, bytes: bytesOf(file) });
  });
  parsed.then(
    () =>
      reject(
        new AppError(
          "invalid_request",
          "The form has no file. Send one part with a file name: curl -F file=@picture.jpg …",
        ),
      ),
    (error: unknown) => {
      reject(error);
      open?.destroy();
    },
  );

  async function* bytesOf(file: BusboyFileStream): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of file) yield chunk as Uint8Array;
    } catch (error) {
      // The file may have ended early because the form failed; that error comes first.
      await parsed;
      throw formError(error);
    } finally {
      // Stops the parser if the reader stops early.
      if (!file.readableEnded) source.destroy();
    }
    await parsed;
  }
  return found;
}

async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* body;
}

function createParser(contentType: string): BusboyInstance {
  try {
    return new Busboy({ headers: { "content-type": contentType }, limits });
  } catch (error) {
    throw formError(error);
  }
}

function formError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError(
    "invalid_request",
    "The form is truncated or malformed. Send it again as multipart/form-data with a boundary.",
    { cause: error },
  );
}
