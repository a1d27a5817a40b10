import { z } from "@hono/zod-openapi";
import { problems } from "../../../lib/runtime/problem.ts";
import type { ErrorCode } from "../../../lib/core/errors.ts";

export const problemSchema = z
  .looseObject({
    type: z.string().openapi({ description: "Stable, one a kind.", example: "urn:prosaas:problem:invalid_request" }),
    title: z.string(),
    status: z.int(),
    detail: z.string().openapi({ description: "A sentence that says what to do." }),
    request_id: z.string().optional(),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: "The fields of the request that are at fault." }),
  })
  .openapi("Problem");

const content = { "application/problem+json": { schema: problemSchema } };

/** Kinds that any authenticated route may answer with: bodies and text are judged also where the route reads none. */
const everywhere: ErrorCode[] = [
  "invalid_request",
  "unauthorized",
  "forbidden",
  "not_found",
  "too_large",
  "rate_limited",
  "internal",
  "unavailable",
];

/** Kinds that any route with a body may answer with. */
export const bodyProblems: ErrorCode[] = ["unsupported_media_type", "request_timeout"];

/** The problem responses of a route, by status, for its OpenAPI definition. */
export function problemResponses(...codes: ErrorCode[]) {
  return Object.fromEntries(
    [...everywhere, ...codes].map((code) => [problems[code].status, { description: problems[code].title, content }]),
  );
}
