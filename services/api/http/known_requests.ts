import type { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler, NotFoundHandler } from "hono";
import { routePath } from "hono/route";
import { AppError } from "../../../lib/core/errors.ts";
import { notFound, problemResponse } from "../../../lib/runtime/problem.ts";
import type { Authenticated } from "./auth/guards.ts";

type Operation = { parameters?: { in?: string; name?: string }[] };

/** The query parameters of each operation, by `GET /v1/businesses/:business_id`. */
function queryNames({ paths = {} }: { paths?: object }): Map<string, string[]> {
  const operations = Object.entries(paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [] }]) => {
      const names = parameters.flatMap((each) => (each.in === "query" && each.name !== undefined ? each.name : []));
      return [`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`, names] as const;
    }),
  );
  return new Map(operations);
}

/** Refuses query parameters that the operation does not have, because a misspelt filter would return every row. */
export function knownQuery(document: () => { paths?: object }): MiddlewareHandler<Authenticated> {
  let known: Map<string, string[]> | undefined;
  return async (c, next) => {
    if (!c.req.url.includes("?")) return next();
    known ??= queryNames(document());
    const names = known.get(`${c.req.method === "HEAD" ? "GET" : c.req.method} ${routePath(c, -1)}`);
    if (names === undefined) return next();
    // A parameter without a value filters nothing: a page uses one to load a picture again.
    const given = Object.entries(c.req.queries()).filter(([, values]) => values.some((value) => value !== ""));
    const unknown = given.map(([name]) => name).filter((name) => !names.includes(name));
    if (unknown.length === 0) return next();
    const rule =
      names.length > 0
        ? `is not a query parameter of this operation; it has ${names.join(", ")}`
        : "is not a query parameter of this operation; it has none";
    throw new AppError("invalid_request", "The query has unknown parameters. See `errors`.", {
      faults: unknown.slice(0, 20).map((name) => ({ field: name.slice(0, 100), message: rule })),
    });
  };
}

/** Answers 405 with `Allow` where another method has a route, and 404 elsewhere. Tenants see no route of admins. */
export function unknownRoute(app: Pick<OpenAPIHono<Authenticated>, "routes">): NotFoundHandler<Authenticated> {
  let routes: { method: string; parts: string[] }[] | undefined;
  return (c) => {
    // Routes of all methods are middleware.
    routes ??= app.routes
      .filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => ({ method, parts: path.split("/") }));
    const { method, path } = c.req;
    const parts = path.split("/");
    const isHidden = path.startsWith("/v1/admin/") && c.var.principal?.kind !== "admin";
    const found = isHidden ? [] : routes.filter((route) => isPathOf(route.parts, parts));
    const allowed = [...new Set(found.flatMap((route) => (route.method === "GET" ? ["GET", "HEAD"] : route.method)))];
    if (allowed.length === 0) return notFound(c);
    c.header("allow", allowed.join(", "));
    const detail = `${path} does not support ${method}. Use ${allowed.join(" or ")}.`;
    return problemResponse(c, new AppError("method_not_allowed", detail));
  };
}

const isPathOf = (route: string[], path: string[]): boolean =>
  route.length === path.length && route.every((part, n) => (part.startsWith(":") ? path[n] !== "" : part === path[n]));
