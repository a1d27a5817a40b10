import type { ZodType } from "zod";
import { AppError } from "../../lib/core/errors.ts";

/** Reads a JSON body. @throws AppError "invalid_request" if it is not JSON, ZodError if it does not fit the schema. */
export async function bodyOf<T>(request: Request, schema: ZodType<T>): Promise<T> {
  const body: unknown = await request.json().catch(() => {
    throw new AppError("invalid_request", "The body is not JSON.");
  });
  return schema.parse(body);
}
