import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import {
  beginMoves,
  countAssignments,
  forBusiness,
  getBusiness,
  getMove,
  listMoves,
  listResidents,
} from "../../../../lib/db/index.ts";
import type { Move, PlatformScope, ShardPopulation } from "../../../../lib/db/index.ts";
import { dueAt } from "../../../../lib/runtime/deadline.ts";
import { planMoves } from "../../../../lib/moves/index.ts";
import { adminOnly, noSuchBusiness, platformScope } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { assignmentsSchema, moveQuery, moveSchema, newMove, rebalanceRequest, rebalanceSchema } from "./schemas.ts";
import { moveView } from "./view.ts";
import { pageOf, pageThrough } from "../../http/page.ts";
import { bodyProblems, noSuch, problemResponses } from "../../http/problem.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { businessParams, moveParams, parseId } from "../../http/params.ts";

const tags = ["Administration"];

export function moveRoutes(
  { db, router, cordon, moves }: Pick<ApiDependencies, "db" | "router" | "cordon" | "moves">,
  wakeUps: Pick<WakeUps, "move">,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  /** Inserts moves and wakes their worker. Skips businesses that are already moving. */
  const startMoves = async (
    platform: PlatformScope,
    planned: readonly { business_id: string; to_shard: number }[],
  ): Promise<Move[]> => {
    const started = await beginMoves(
      platform,
      planned.map(({ business_id, to_shard }) => ({ id: uuidv7(), business_id, to_shard })),
    );
    for (const { id } of started) wakeUps.move(id);
    return started;
  };

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/businesses/{business_id}/move",
      tags,
      summary: "Move a business",
      description:
        "Moves a business and its WhatsApp login to another shard, without a new QR code. Its messages wait for " +
        "about a second.",
      middleware: [adminOnly] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: newMove } } },
      },
      responses: {
        202: {
          description: "The started move. Get it by its id to read its status",
          content: { "application/json": { schema: moveSchema } },
        },
        ...problemResponses(...bodyProblems, "conflict"),
      },
    }),
    async (c) => {
      const id = parseId(c.req.valid("param").business_id);
      const business = id === undefined ? undefined : await getBusiness(forBusiness(db, id, dueAt(c)));
      if (business === undefined) throw noSuchBusiness();
      const { shard } = c.req.valid("json");
      if (business.whatsapp_shard === null)
        throw new AppError("conflict", "The business has no shard, because it never connected. Connect it first.");
      if (business.whatsapp_shard === shard)
        throw new AppError("conflict", `The business is already on shard ${shard}. Choose another shard.`);
      if (shard > router.numShards) {
        throw new AppError(
          "conflict",
          `There are ${router.numShards} shards. Add shard ${shard} with scale:shards first.`,
        );
      }
      if (cordon().includes(shard))
        throw new AppError("conflict", `The node of shard ${shard} is being drained. Choose another shard.`);
      router.shard(shard);
      const [move] = await startMoves(platformScope(db, c), [{ business_id: business.id, to_shard: shard }]);
      if (move === undefined)
        throw new AppError("conflict", "The business already has a move in progress. Wait until it has finished.");
      return c.json(moveView(move), 202);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/moves/{move_id}",
      tags,
      summary: "Get a move",
      middleware: [adminOnly] as const,
      request: { params: moveParams },
      responses: {
        200: { description: "The move", content: { "application/json": { schema: moveSchema } } },
        ...problemResponses(),
      },
    }),
    async (c) => {
      const id = parseId(c.req.valid("param").move_id);
      const move = id === undefined ? undefined : await getMove(platformScope(db, c), id);
      if (move === undefined) throw noSuch("move");
      return c.json(moveView(move), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/moves",
      tags,
      summary: "List moves",
      description: "Returns the newest moves first.",
      middleware: [adminOnly] as const,
      request: { query: moveQuery },
      responses: {
        200: { description: "A page of moves", content: { "application/json": { schema: pageOf(moveSchema) } } },
        ...problemResponses("invalid_request"),
      },
    }),
    async (c) => {
      const { status, ...page } = c.req.valid("query");
      const finished = status === undefined ? undefined : status === "finished";
      return c.json(
        await pageThrough(page, (range) => listMoves(platformScope(db, c), { ...range, finished }), moveView),
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/rebalance",
      tags,
      summary: "Rebalance businesses",
      description:
        "Plans and starts moves that spread the businesses evenly over the nodes, and over the shards of each node. " +
        "Empties shards whose node is being drained. Takes moves in progress into account, so that you can repeat " +
        "the request to continue. With `drain` it only empties those shards.",
      middleware: [adminOnly] as const,
      request: { body: { required: true, content: { "application/json": { schema: rebalanceRequest } } } },
      responses: {
        202: {
          description: "The planned moves, started unless `dry_run` is set",
          content: { "application/json": { schema: rebalanceSchema } },
        },
        ...problemResponses(...bodyProblems),
      },
    }),
    async (c) => {
      const { dry_run, max, drain, max_sessions: maxSessions } = c.req.valid("json");
      const hosts = new Map(
        router
          .shards()
          .filter(({ shard }) => shard <= router.numShards)
          .map(({ shard, url }) => [shard, new URL(url).hostname]),
      );
      const unreachable = Array.from({ length: router.numShards }, (_, index) => index + 1).filter(
        (shard) => !hosts.has(shard),
      );
      // A restarting shard looks like a removed one: the plan would move all of its businesses.
      if (drain.length === 0 && unreachable.length > 0) {
        const detail =
          `Shard ${unreachable.join(", ")} is unreachable, and a rebalance needs every shard. ` +
          "Retry shortly, or drain the shard to empty it.";
        throw new AppError("unavailable", detail, { retryAfterS: 2 });
      }
      const cordoned = cordon();
      const shards = [...hosts.keys()].filter((shard) => !cordoned.includes(shard));
      const nodeOf = (shard: number) => hosts.get(shard)!;
      const planned = planMoves(await listResidents(platformScope(db, c)), { shards, drain, nodeOf, maxSessions, max });
      const started = dry_run ? [] : await startMoves(platformScope(db, c), planned);
      return c.json({ dry_run, planned, data: started.map(moveView) }, 202);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/assignments",
      tags,
      summary: "List shard assignments",
      description: "Returns the number of businesses and moves of each shard.",
      middleware: [adminOnly] as const,
      responses: {
        200: { description: "All shards", content: { "application/json": { schema: assignmentsSchema } } },
        ...problemResponses(),
      },
    }),
    async (c) => {
      const population = new Map((await countAssignments(platformScope(db, c))).map((one) => [one.shard, one]));
      const known = new Map(router.shards().map((at) => [at.shard, at]));
      const numbers = new Set([
        ...population.keys(),
        ...known.keys(),
        ...Array.from({ length: router.numShards }, (_, k) => k + 1),
      ]);
      const journalOf = async (shard: number): Promise<number | null> => {
        const at = known.get(shard);
        if (at === undefined) return null;
        return moves.departures(at).then(
          ({ journal }) => journal,
          () => null,
        );
      };
      const empty = (shard: number): ShardPopulation => ({ shard, businesses: 0, paired: 0, moving: 0 });
      const data = await Promise.all(
        [...numbers]
          .toSorted((a, b) => a - b)
          .map(async (shard) =>
            Object.assign({}, population.get(shard) ?? empty(shard), { journal: await journalOf(shard) }),
          ),
      );
      return c.json({ num_shards: router.numShards, data }, 200);
    },
  );

  return app;
}
