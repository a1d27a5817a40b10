import { Hono } from "hono";
import type { Context } from "hono";
import { z } from "@hono/zod-openapi";
import { AppError } from "../../lib/core/errors.ts";
import { bearer, requestLog } from "../../lib/runtime/http.ts";
import type { Metrics } from "../../lib/runtime/metrics.ts";
import { notFound, problemHandler } from "../../lib/runtime/problem.ts";
import { carrierControl, carrierRest } from "./carrier/index.ts";
import type { Carrier } from "./carrier/index.ts";
import { faultSchema } from "./whatsapp/faults/faults.ts";
import type { Group } from "./whatsapp/groups/group.ts";
import { writeToGroup } from "./whatsapp/groups/write.ts";
import { limitsSchema } from "./whatsapp/faults/limits.ts";
import { compose, writable } from "./whatsapp/messages/compose.ts";
import { broadcast } from "./whatsapp/messages/broadcast.ts";
import { hostileKind, writeHostile } from "./whatsapp/messages/hostile.ts";
import { companionsGet, messageId, write } from "./whatsapp/messages/write.ts";
import { openFile, withFile } from "./whatsapp/media/file.ts";
import type { Phone } from "./whatsapp/phones/phone.ts";
import type { Simulation } from "./whatsapp/simulation.ts";
import { isBroadcastJid, isGroupJid, phoneJid } from "./whatsapp/wire/jid.ts";
import { countedStats } from "./whatsapp/stats.ts";
import { clearFaults, raise } from "./whatsapp/faults/strike.ts";

const phoneNumber = z.string().regex(/^\d{5,15}$/, "digits of a phone number, without +");
const ticks = z.enum(["none", "delivered", "read"]);
const newPhone = z.strictObject({
  phone: phoneNumber,
  name: z.string().min(1).max(100).optional(),
  ticks: ticks.optional(),
  picture: z.url().optional(),
});
const qrCode = z.strictObject({ qr: z.string().min(1).max(2000) });
const linkCode = z.strictObject({
  code: z
    .string()
    .transform((code) => code.replace(/-/g, "").toUpperCase())
    .pipe(z.string().length(8)),
});
const refreshRequest = z
  .strictObject({
    qr: z.string().min(1).max(2000).optional(),
    phone: phoneNumber.optional(),
    form: z.enum(["companion_reg_refresh", "pair-device-rotate-qr"]).default("companion_reg_refresh"),
  })
  .refine(({ qr, phone }) => (qr === undefined) !== (phone === undefined), { message: "give either qr or phone" });
const groupId = z.string().regex(/^\d{10,25}(@g\.us)?$/, "a group's JID, or its part before the @");
const newGroup = z.strictObject({
  subject: z.string().min(1).max(100),
  /** The first member creates the group. */
  members: z.array(phoneNumber).min(1).max(1024),
  addressing: z.enum(["lid", "pn"]).default("lid"),
});
const memberChange = z.strictObject({ add: z.array(phoneNumber).optional(), remove: z.array(phoneNumber).optional() });
const outgoing = z.looseObject({
  to: z.union([phoneNumber, groupId.refine(isGroupJid), z.string().refine(isBroadcastJid)]),
  id: z.string().min(4).max(64).optional(),
  /** The phones whose companions receive a broadcast (a status, a list, a channel). */
  audience: z.array(phoneNumber).max(1000).default([]),
  /** The content that the receiver's companions get instead of the ciphertext. */
  companions_get: companionsGet.optional(),
});
const hostile = z.strictObject({ to: phoneNumber, kind: hostileKind });

async function jsonBody(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch (cause) {
    throw new AppError("invalid_request", "The body is not JSON.", { cause });
  }
}

type AppOptions = { metrics: Metrics; carrier?: Carrier | undefined; token?: string | undefined };

/** Creates the control API, which stands in for a person who uses the phones, and injects faults. */
export function createApp(simulation: Simulation, { metrics, carrier, token }: AppOptions): Hono {
  const { phones, groups, pairing, faults, store } = simulation;
  const app = new Hono();
  app.onError(problemHandler(simulation.logger));
  app.notFound(notFound);
  app.use(requestLog(simulation.logger, metrics));
  metrics.gauge("simulator_connections", "Open connections of clients.", [], (gauge) =>
    gauge.set(simulation.connections.size),
  );
  metrics.gauge("simulator_phones", "Virtual phones.", [], (gauge) => gauge.set(phones.size));
  for (const name of countedStats) {
    metrics.gauge(`simulator_${name}`, "As in GET /stats.", [], (gauge) => gauge.set(simulation.stats[name]));
  }
  // Before the control API's token, because the carrier's REST API has credentials of its own.
  if (carrier !== undefined) app.route("/", carrierRest(carrier));
  if (token !== undefined) app.use(bearer(token));
  if (carrier !== undefined) app.route("/", carrierControl(carrier));

  const known = (phone: string): Phone => {
    const found = phones.get(phone);
    if (!found) throw new AppError("not_found", `The phone ${phone} does not exist; create it with POST /phones.`);
    return found;
  };

  app.get("/root", (c) => c.json({ root: simulation.identity.root.toString("base64") }));

  app.get("/phones", (c) => c.json({ data: phones.all().map(view) }));

  app.post("/phones", async (c) => {
    const body = newPhone.parse(await jsonBody(c));
    const existed = phones.get(body.phone) !== undefined;
    const phone = phones.obtain(body.phone);
    const { phone: _phone, ...changes } = body;
    if (Object.keys(changes).length > 0) phone.change(changes);
    await store.committed();
    return c.json(view(phone), existed ? 200 : 201);
  });

  app.get("/phones/:phone", (c) => c.json(view(known(c.req.param("phone")))));

  app.post("/phones/:phone/scan", async (c) => {
    const { qr } = qrCode.parse(await jsonBody(c));
    const device = await pairing.scan(known(c.req.param("phone")), qr);
    return c.json({ device: device.id });
  });

  app.post("/phones/:phone/enter_code", async (c) => {
    const { code } = linkCode.parse(await jsonBody(c));
    const device = await pairing.enterCode(known(c.req.param("phone")), code);
    return c.json({ device: device.id });
  });

  /** Makes WhatsApp retire a code that a client shows. */
  app.post("/pairing/refreshes", async (c) => {
    const { form, ...shown } = refreshRequest.parse(await jsonBody(c));
    return c.json(pairing.refresh(shown.qr === undefined ? { phone: shown.phone! } : { qr: shown.qr }, form), 201);
  });
  app.get("/pairing/refreshes", (c) => c.json({ data: pairing.refreshes() }));

  const knownGroup = (name: string): Group => {
    const found = groups.get(groupId.parse(name));
    if (!found) throw new AppError("not_found", `The group ${name} does not exist; create it with POST /groups.`);
    return found;
  };

  app.get("/groups", (c) => c.json({ data: groups.all().map(groupView) }));
  app.post("/groups", async (c) => {
    const group = groups.create(newGroup.parse(await jsonBody(c)));
    await store.committed();
    return c.json(groupView(group), 201);
  });
  app.get("/groups/:group", (c) => c.json(groupView(knownGroup(c.req.param("group")))));
  app.post("/groups/:group/members", async (c) => {
    const group = knownGroup(c.req.param("group"));
    groups.change(group, memberChange.parse(await jsonBody(c)));
    await store.committed();
    return c.json(groupView(group));
  });

  app.post("/phones/:phone/messages", async (c) => {
    const { to, id, audience, companions_get, ...body } = outgoing.parse(await jsonBody(c));
    const from = phones.obtain(phoneNumber.parse(c.req.param("phone")));
    if (isGroupJid(to)) {
      const group = knownGroup(to);
      if (!group.has(from)) throw new AppError("conflict", `The phone ${from.phone} is not a member of the group.`);
      const content = compose(writable.parse(await withFile(simulation, body)), { from, chat: group.jid });
      return c.json(await writeToGroup(simulation, from, group, content, id ?? messageId()), 201);
    }
    if (isBroadcastJid(to)) {
      const content = compose(writable.parse(await withFile(simulation, body)), { from, chat: to });
      const receivers = audience.map((phone) => phones.obtain(phone));
      return c.json(await broadcast(simulation, from, { jid: to, receivers, content, id: id ?? messageId() }), 201);
    }
    const content = compose(writable.parse(await withFile(simulation, body)), { from, chat: phoneJid(to) });
    return c.json(
      await write(simulation, from, phones.obtain(to), content, { id, companionsGet: companions_get }),
      201,
    );
  });

  /** Sends a message as a modified client would. */
  app.post("/phones/:phone/hostile", async (c) => {
    const { to, kind } = hostile.parse(await jsonBody(c));
    const from = phones.obtain(phoneNumber.parse(c.req.param("phone")));
    return c.json(await writeHostile(simulation, from, phones.obtain(to), kind), 201);
  });

  app.get("/phones/:phone/messages", (c) => {
    // Every number is a phone. An unused one has no messages.
    const screen = phones.get(phoneNumber.parse(c.req.param("phone")))?.screen;
    const after = z.coerce.number().int().min(0).catch(0).parse(c.req.query("after"));
    return c.json({
      data: screen?.messages(after) ?? [],
      duplicates: screen?.duplicates ?? 0,
      undecryptable: screen?.undecryptable ?? 0,
    });
  });

  /** The decrypted file of a message. */
  app.get("/phones/:phone/messages/:id/file", async (c) => {
    const shown = known(c.req.param("phone"))
      .screen.messages()
      .find(({ id }) => id === c.req.param("id"));
    return new Response(await openFile(simulation, shown?.["media"]));
  });

  /** Messages that the phone sent, with their ticks. */
  app.get("/phones/:phone/sent", (c) => {
    store.flush();
    const { phone } = known(c.req.param("phone"));
    const data = store.db
      .query('SELECT id, recipient AS "to", at AS timestamp, status FROM sent WHERE phone = ? ORDER BY seq')
      .all(phone);
    return c.json({ data });
  });

  app.post("/faults", async (c) => {
    const fault = faultSchema.parse(await jsonBody(c));
    return c.json({ struck: raise(simulation, fault), ...fault }, 201);
  });

  app.get("/faults", (c) => c.json({ data: faults.list() }));

  app.delete("/faults", (c) => {
    clearFaults(simulation);
    return c.body(null, 204);
  });

  app.get("/limits", (c) => c.json(simulation.limits.settings));
  app.put("/limits", async (c) => {
    simulation.limits.settings = limitsSchema.parse(await jsonBody(c));
    return c.json(simulation.limits.settings);
  });

  app.get("/stats", (c) =>
    c.json({
      ...simulation.stats,
      phones: phones.size,
      connections: simulation.connections.size,
      mail: mailCount(simulation),
    }),
  );

  return app;
}

function view(phone: Phone) {
  const devices = [...phone.devices.values()].map((device) => ({
    device: device.id,
    online: device.mailbox.isOpen,
    linked_at: new Date(device.state.linkedAt).toISOString(),
    prekeys: device.preKeyCount,
    waiting: device.mailbox.size,
  }));
  return {
    phone: phone.phone,
    lid: phone.lid,
    name: phone.name,
    ticks: phone.ticks,
    available: phone.available,
    seen_in: Object.fromEntries(phone.seenIn),
    devices,
  };
}

function groupView({ jid, state: { id: _id, createdAt, ...state } }: Group) {
  return { id: jid, ...state, created_at: new Date(createdAt).toISOString() };
}

function mailCount({ phones }: Simulation): number {
  let count = 0;
  for (const phone of phones.all()) for (const device of phone.devices.values()) count += device.mailbox.size;
  return count;
}
