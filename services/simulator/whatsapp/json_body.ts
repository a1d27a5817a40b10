import type { Context } from "hono";
import { AppError } from "../../../lib/core/errors.ts";

/** The JSON body of a request. @throws AppError "invalid_request" */
export async function jsonBody(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch (cause) {
    throw new AppError("invalid_request", "The body is not JSON.", { cause });
  }
}
