import { z } from "@hono/zod-openapi";
import { AppError } from "../../../lib/core/errors.ts";
import type { ErrorCode } from "../../../lib/core/errors.ts";
import { problems } from "../../../lib/runtime/problem.ts";

export const problemSchema = z
  .looseObject({
    type: z.string().openapi({
      description: "A stable URN that identifies the kind of problem.",
      example: "urn:prosaas:problem:invalid_request",
    }),
    title: z.string().openapi({ description: "A short summary of the kind of problem." }),
    status: z.int().openapi({ description: "The HTTP status code." }),
    detail: z.string().openapi({ description: "Explains what went wrong and how to fix it." }),
    request_id: z.string().optional().openapi({ description: "Identifies the request in the server's log." }),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: "The invalid fields of the request." }),
  })
  .openapi("Problem");

const content = { "application/problem+json": { schema: problemSchema } };

/** Problems of every authenticated route. Bodies and text are validated even where the route reads neither. */
const commonProblems: ErrorCode[] = [
  "invalid_request",
  "unauthorized",
  "forbidden",
  "not_found",
  "too_large",
  "unsupported_media_type",
  "rate_limited",
  "internal",
  "unavailable",
];

/** Additional problems of a route with a body. */
export const bodyProblems: ErrorCode[] = ["request_timeout"];

/** The problem responses of a route, by status, for its OpenAPI definition. */
export function problemResponses(...codes: ErrorCode[]) {
  return Object.fromEntries(
    [...commonProblems, ...codes].map((code) => [
      problems[code].status,
      { description: problems[code].title, content },
    ]),
  );
}

/** A "not_found" problem. Never names the id, so that another tenant's resource looks like one that does not exist. */
export function noSuch(resource: string): AppError {
  return new AppError("not_found", `No such ${resource}. Check the id.`);
}
