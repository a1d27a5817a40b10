import { z } from "@hono/zod-openapi";
import { Hono } from "hono";
import { AppError } from "../../../../lib/core/errors.ts";
import { jsonBody } from "../json_body.ts";
import type { Simulation } from "../simulation.ts";
import { faultKind, faultSchema } from "./faults.ts";
import { clearFaults, injectFault } from "./inject_fault.ts";
import { limitsSchema } from "./limits.ts";

/** Entries of the ledger in an answer. */
const ledgerPage = 10_000;

/** The control API of faults and limits, and of the ledger of what they did. */
export function faultControl(simulation: Simulation): Hono {
  const app = new Hono();

  app.post("/faults", async (c) => {
    const fault = faultSchema.parse(await jsonBody(c));
    return c.json({ struck: injectFault(simulation, fault), ...fault }, 201);
  });

  app.get("/faults", (c) => c.json({ data: simulation.faults.list() }));

  app.delete("/faults", (c) => {
    clearFaults(simulation, faultKind.optional().parse(c.req.query("kind")));
    return c.body(null, 204);
  });

  app.get("/ledger", (c) => {
    const after = z.coerce.number().int().min(0).catch(0).parse(c.req.query("after"));
    try {
      return c.json({ data: simulation.ledger.after(after, ledgerPage) });
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new AppError("conflict", cause.message, { cause });
    }
  });

  app.get("/limits", (c) => c.json(simulation.limits.settings));
  app.put("/limits", async (c) => {
    simulation.limits.settings = limitsSchema.parse(await jsonBody(c));
    return c.json(simulation.limits.settings);
  });

  return app;
}
