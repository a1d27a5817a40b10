import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import {
  beginMoves,
  countAssignments,
  forBusiness,
  forPlatform,
  getBusiness,
  getMove,
  listMoves,
  listResidents,
} from "../../../../lib/db/index.ts";
import type { Move, ShardPopulation } from "../../../../lib/db/index.ts";
import { planMoves } from "../../../../lib/moves/index.ts";
import { adminOnly, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import {
  assignmentsSchema,
  moveParams,
  moveQuery,
  moveSchema,
  moveView,
  newMove,
  rebalanceRequest,
  rebalanceSchema,
} from "./schemas.ts";
import { pageOf, pageThrough } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { businessParams, knownForm } from "../../http/params.ts";

const tags = ["Administration"];

export function moveRoutes(
  { db, router, moves }: Pick<ApiDependencies, "db" | "router" | "moves">,
  wakeUps: Pick<WakeUps, "move">,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  const platform = forPlatform(db);

  /** Writes moves down and has them begun. */
  const begin = async (planned: readonly { business_id: string; to_shard: number }[]): Promise<Move[]> => {
    const begun = await beginMoves(
      platform,
      planned.map(({ business_id, to_shard }) => ({ id: uuidv7(), business_id, to_shard })),
    );
    for (const { id } of begun) wakeUps.move(id);
    return begun;
  };

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/businesses/{business_id}/move",
      tags,
      summary: "Move a business to another shard",
      description: "Without a new QR: its login is carried over. Its messages wait meanwhile, for about a second.",
      middleware: [adminOnly] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: newMove } } },
      },
      responses: {
        202: { description: "Begun; follow it by its id", content: { "application/json": { schema: moveSchema } } },
        ...problemResponses(...bodyProblems, "conflict"),
      },
    }),
    async (c) => {
      const id = knownForm(c.req.valid("param").business_id);
      const business = id === undefined ? undefined : await getBusiness(forBusiness(db, id));
      if (business === undefined) throw noSuchBusiness();
      const { shard } = c.req.valid("json");
      if (business.whatsapp_shard === null)
        throw new AppError("conflict", "The business never connected: it has no shard to move from.");
      if (business.whatsapp_shard === shard)
        throw new AppError("conflict", `The business lives on shard ${shard} already.`);
      if (shard > router.numShards) {
        throw new AppError(
          "conflict",
          `There are ${router.numShards} shards; add some with scale:shards before a business moves to shard ${shard}.`,
        );
      }
      router.shard(shard);
      const [move] = await begin([{ business_id: business.id, to_shard: shard }]);
      if (move === undefined)
        throw new AppError("conflict", "The business is on the move already; wait for the end of that.");
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
      const id = knownForm(c.req.valid("param").move_id);
      const move = id === undefined ? undefined : await getMove(platform, id);
      if (move === undefined) throw new AppError("not_found", "There is no such move.");
      return c.json(moveView(move), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/moves",
      tags,
      summary: "List moves, latest first",
      middleware: [adminOnly] as const,
      request: { query: moveQuery },
      responses: {
        200: { description: "A page", content: { "application/json": { schema: pageOf(moveSchema) } } },
        ...problemResponses("invalid_request"),
      },
    }),
    async (c) => {
      const { status, ...page } = c.req.valid("query");
      const finished = status === undefined ? undefined : status === "finished";
      return c.json(await pageThrough(page, (range) => listMoves(platform, { ...range, finished }), moveView), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/rebalance",
      tags,
      summary: "Spread the businesses evenly over the shards",
      description:
        "Plans from where everybody lives, or is on the way to, and begins the moves; asked again, it goes on where it ended. With `drain` it empties those shards and does nothing else.",
      middleware: [adminOnly] as const,
      request: { body: { required: true, content: { "application/json": { schema: rebalanceRequest } } } },
      responses: {
        202: {
          description: "Planned, and begun unless `dry_run`",
          content: { "application/json": { schema: rebalanceSchema } },
        },
        ...problemResponses(...bodyProblems),
      },
    }),
    async (c) => {
      const { dry_run, max, drain } = c.req.valid("json");
      const shards = router
        .shards()
        .map(({ shard }) => shard)
        .filter((shard) => shard <= router.numShards);
      const away = Array.from({ length: router.numShards }, (_, index) => index + 1).filter(
        (shard) => !shards.includes(shard),
      );
      // One that restarts would look like one that does not exist, and lose everybody.
      if (drain.length === 0 && away.length > 0) {
        const detail = `Shard ${away.join(", ")} cannot be reached at present; a rebalance needs them all. To empty one, drain it.`;
        throw new AppError("unavailable", detail, { retryAfterS: 2 });
      }
      const planned = planMoves(await listResidents(platform), { shards, drain, max });
      const begun = dry_run ? [] : await begin(planned);
      return c.json({ dry_run, planned, data: begun.map(moveView) }, 202);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/assignments",
      tags,
      summary: "List who lives on which shard, in numbers",
      middleware: [adminOnly] as const,
      responses: {
        200: { description: "Every shard", content: { "application/json": { schema: assignmentsSchema } } },
        ...problemResponses(),
      },
    }),
    async (c) => {
      const population = new Map((await countAssignments(platform)).map((one) => [one.shard, one]));
      const known = new Map(router.shards().map((at) => [at.shard, at]));
      const numbers = new Set([
        ...population.keys(),
        ...known.keys(),
        ...Array.from({ length: router.numShards }, (_, k) => k + 1),
      ]);
      const journalOf = async (shard: number): Promise<number | null> => {
        const at = known.get(shard);
        return at === undefined ? null : moves.departures(at).then(({ journal }) => journal, () => null); // prettier-ignore
      };
      const nobody = (shard: number): ShardPopulation => ({ shard, businesses: 0, paired: 0, moving: 0 });
      const data = await Promise.all(
        [...numbers]
          .toSorted((a, b) => a - b)
          .map(async (shard) =>
            Object.assign({}, population.get(shard) ?? nobody(shard), { journal: await journalOf(shard) }),
          ),
      );
      return c.json({ num_shards: router.numShards, data }, 200);
    },
  );

  return app;
}
