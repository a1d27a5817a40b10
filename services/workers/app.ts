import { Hono } from "hono";
import { operations } from "../../lib/runtime/http.ts";
import type { OperationsOptions } from "../../lib/runtime/http.ts";

/** A worker answers only its operator: its work comes from the queues. */
export function createApp(options: OperationsOptions): Hono {
  return new Hono().route("/", operations(options));
}
