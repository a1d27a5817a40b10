import { proto } from "@whiskeysockets/baileys";
import { z } from "@hono/zod-openapi";
import { Hono } from "hono";
import { AppError } from "../../../lib/core/errors.ts";
import { faultControl } from "./faults/fault_routes.ts";
import type { Group } from "./groups/group.ts";
import { writeToGroup } from "./groups/write.ts";
import { openFile, withFile } from "./media/file.ts";
import { jsonBody } from "./json_body.ts";
import { broadcast } from "./messages/broadcast.ts";
import { expiring } from "./messages/expiring.ts";
import { shareContact } from "./messages/contacts.ts";
import { compose, writable } from "./messages/compose.ts";
import { writeHostile } from "./messages/hostile.ts";
import { sealEdit } from "./messages/sealed.ts";
import { messageId, write } from "./messages/write.ts";
import { directLink, linkDirectly } from "./pairing/direct_link.ts";
import { passkeyControl } from "./pairing/passkey_routes.ts";
import { linkOffline } from "./phones/offline_companion.ts";
import type { Phone } from "./phones/phone.ts";
import { senderNames } from "./phones/naming.ts";
import { replaceSalt } from "./phones/contact_salt.ts";
import { announcePrivacyToken, givePrivacyToken } from "./phones/privacy_tokens.ts";
import { restrict, standing } from "./phones/standing.ts";
import {
  groupId,
  hostile,
  linkCode,
  memberChange,
  newContact,
  newGroup,
  newPhone,
  newSalt,
  newToken,
  outgoing,
  phoneNumber,
  qrCode,
  refreshRequest,
  unknownStanza,
} from "./schemas.ts";
import type { Simulation } from "./simulation.ts";
import { isBroadcastJid, isGroupJid, phoneJid } from "./wire/jid.ts";
import { node, nowS, server, stanzaId } from "./wire/stanza.ts";

/** The control API of WhatsApp's side: the actions of the people at the phones, and faults. */
export function whatsappControl(simulation: Simulation): Hono {
  const { phones, groups, pairing, store } = simulation;
  const app = new Hono();

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
    const { phone: _phone, spellings, ...changes } = body;
    if (spellings) phones.spell(phone, spellings);
    if (Object.keys(changes).length > 0) phone.change(changes);
    await store.committed();
    return c.json(view(phone), existed ? 200 : 201);
  });

  app.get("/phones/:phone", (c) => c.json(view(known(c.req.param("phone")))));

  /** Adds a number to the phone's address book: the phone sends its companions the LID of the number. */
  app.post("/phones/:phone/contacts", async (c) => {
    const { phone } = newContact.parse(await jsonBody(c));
    await shareContact(simulation, known(c.req.param("phone")), phones.obtain(phone));
    return c.body(null, 204);
  });

  /** Gives a contact a privacy token, which its companions learn at once or from the history after the next link. */
  app.post("/phones/:phone/privacy_tokens", async (c) => {
    const { to, by } = newToken.parse(await jsonBody(c));
    const [from, holder] = [known(c.req.param("phone")), known(to)];
    const given = givePrivacyToken(from, holder);
    if (by === "notification") await announcePrivacyToken(simulation, from, holder);
    return c.json(given, 201);
  });

  /** Replaces the account's salt, as the app state announces it. */
  app.put("/phones/:phone/contact_salt", async (c) => {
    await replaceSalt(simulation, known(c.req.param("phone")), newSalt.parse(await jsonBody(c)).salt);
    return c.body(null, 204);
  });

  /** Restricts what the account may start. */
  app.put("/phones/:phone/standing", async (c) => {
    const phone = known(c.req.param("phone"));
    await restrict(simulation, phone, standing.parse(await jsonBody(c)));
    return c.json(phone.standing);
  });

  /** Links a client without a connection, so that a bench can write its store. */
  app.post("/phones/:phone/links", async (c) => {
    const linked = linkDirectly(known(c.req.param("phone")), directLink.parse(await jsonBody(c)));
    await store.committed();
    return c.json(linked, 201);
  });

  /** Links a companion that never connects. */
  app.post("/phones/:phone/companions", async (c) => {
    const { id } = linkOffline(simulation, known(c.req.param("phone")));
    await store.committed();
    return c.json({ device: id }, 201);
  });
  app.delete("/phones/:phone/companions/:device", async (c) => {
    const device = known(c.req.param("phone")).devices.get(Number(c.req.param("device")));
    if (!device || device.mailbox.isOpen) throw new AppError("not_found", "No companion without a connection has it.");
    phones.unlink(device);
    await store.committed();
    return c.body(null, 204);
  });

  app.post("/phones/:phone/scan", async (c) => {
    const { qr } = qrCode.parse(await jsonBody(c));
    const linked = await pairing.scan(known(c.req.param("phone")), qr);
    return c.json(linked === "passkey" ? { passkey: "requested" } : { device: linked.id });
  });

  app.post("/phones/:phone/enter_code", async (c) => {
    const { code } = linkCode.parse(await jsonBody(c));
    const linked = await pairing.enterCode(known(c.req.param("phone")), code);
    return c.json(linked === "passkey" ? { passkey: "requested" } : { device: linked.id });
  });

  app.route("/phones/:phone/passkey", passkeyControl(pairing.passkeys, known));

  /** Retires a code that a client shows, as WhatsApp does. */
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
    const { to, id, audience, stanza, companions_get, again_as, seal, wire, expiration, ...body } = outgoing.parse(
      await jsonBody(c),
    );
    const from = phones.obtain(phoneNumber.parse(c.req.param("phone")));
    const composed = async (chat: string): Promise<proto.IMessage> => {
      if (wire) return seal ? sealEdit(simulation, from, proto.Message.decode(wire), seal) : proto.Message.decode(wire);
      const plain = compose(writable.parse(await withFile(simulation, body)), { from, chat });
      const content = expiring(plain, expiration);
      return seal ? sealEdit(simulation, from, content, seal) : content;
    };
    if (isGroupJid(to)) {
      const group = knownGroup(to);
      if (!group.has(from)) throw new AppError("conflict", `The phone ${from.phone} is not a member of the group.`);
      return c.json(await writeToGroup(simulation, from, group, await composed(group.jid), id ?? messageId()), 201);
    }
    if (isBroadcastJid(to)) {
      const receivers = audience.map((phone) => phones.obtain(phone));
      const content = await composed(to);
      const garbage = companions_get === "garbage";
      if (companions_get && !garbage) throw new AppError("invalid_request", "Broadcasts support garbage only.");
      const message = { jid: to, receivers, content, id: id ?? messageId(), garbage, stanza };
      return c.json(await broadcast(simulation, from, message), 201);
    }
    const content = await composed(phoneJid(to));
    if (again_as && senderNames(from, 0, again_as).from === senderNames(from).from)
      throw new AppError("invalid_request", "again_as needs another JID than the first delivery: number or a LID.");
    return c.json(
      await write(simulation, from, phones.obtain(to), content, {
        id,
        companionsGet: companions_get,
        againAs: again_as,
        wire: seal ? undefined : wire,
      }),
      201,
    );
  });

  /** Sends a malformed message, as a modified client might. */
  app.post("/phones/:phone/hostile", async (c) => {
    const { to, ...attack } = hostile.parse(await jsonBody(c));
    const from = phones.obtain(phoneNumber.parse(c.req.param("phone")));
    return c.json(await writeHostile(simulation, from, phones.obtain(to), attack), 201);
  });

  /** Sends the phone's companions a stanza of any type, as WhatsApp's server might in a later version. */
  app.post("/phones/:phone/stanzas", async (c) => {
    const { tag, type, child } = unknownStanza.parse(await jsonBody(c));
    const content = child === undefined ? [] : [node(child)];
    for (const device of known(c.req.param("phone")).devices.values())
      device.mailbox.put(node(tag, { from: server, id: stanzaId(), t: nowS(), type }, content));
    await store.committed();
    return c.body(null, 204);
  });

  app.get("/phones/:phone/messages", (c) => {
    // Any number is a phone: an unused one shows nothing.
    const screen = phones.get(phoneNumber.parse(c.req.param("phone")))?.screen;
    const after = z.coerce.number().int().min(0).catch(0).parse(c.req.query("after"));
    return c.json({
      data: screen?.messages(after) ?? [],
      duplicates: screen?.duplicates ?? 0,
      undecryptable: screen?.undecryptable ?? 0,
    });
  });

  /** The file of a message, decrypted as the phone does. */
  app.get("/phones/:phone/messages/:id/file", async (c) => {
    const shown = known(c.req.param("phone"))
      .screen.messages()
      .find(({ id }) => id === c.req.param("id"));
    return new Response(await openFile(simulation, shown?.["media"]));
  });

  /** The messages that the phone wrote, with their ticks. */
  app.get("/phones/:phone/sent", (c) => {
    store.flush();
    const { phone } = known(c.req.param("phone"));
    const data = store.db
      .query('SELECT id, recipient AS "to", at AS timestamp, status FROM sent WHERE phone = ? ORDER BY seq')
      .all(phone);
    return c.json({ data });
  });

  app.route("/", faultControl(simulation));

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
    name: device.state.name ?? null,
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
    naming: phone.naming,
    usync_naming: phone.usyncNaming,
    spellings: phone.spellings,
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
