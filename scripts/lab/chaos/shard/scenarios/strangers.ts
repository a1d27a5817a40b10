import { received } from "./claim.ts";
import type { Check, Written } from "./claim.ts";
import { oneOf } from "./occurrence.ts";
import type { Scenario } from "./occurrence.ts";

/** More than a stranger's share of messages without content. */
const burst = 25;
/** A connection that ends so soon after the garbage may not have acknowledged all of it. */
const redeliveryMs = 30_000;

/** A stranger sends garbage. Few of it is kept, no login is lost over it, and the stranger's next message arrives. */
const garbage: Scenario = {
  name: "a stranger's garbage",
  run: async (occurrence) => {
    const { business } = occurrence;
    const stranger = await occurrence.customer();
    const ids: string[] = [];
    for (let n = 0; n < burst; n++) {
      ids.push((await occurrence.write(stranger, { text: occurrence.text("?"), companions_get: "garbage" })).id);
    }
    const kept: Check = ({ postgres, whatsapp }) => {
      const rows = ids.flatMap((id) => postgres.named(business.id, id));
      const at = whatsapp.all("withheld").find(({ id }) => id === ids[0])?.at ?? 0;
      // Delivered again after the stranger's next message, garbage is that of a contact, whose messages are all kept.
      const most = whatsapp.endedWithin(business.phone, at, redeliveryMs) ? burst : burst - 1;
      const isBounded = rows.length > 0 && rows.length <= most && rows.every(({ type }) => type === "unavailable");
      return isBounded ? [] : [`${rows.length} of ${burst} undecryptable messages of ${stranger} are stored`];
    };
    const written = await occurrence.write(stranger, { text: occurrence.text("hello?") });
    return {
      happened: ({ whatsapp }) => whatsapp.has("withheld", ({ id, as }) => id === ids[0] && as === "garbage"),
      checks: [received(business, written), kept],
    };
  },
};

const malformed = ["invalid_utf8", "truncated", "negative_length", "lid_claim"];

/** A stranger's modified client sends a malformed message, or claims the name of a contact. */
const hostile: Scenario = {
  name: "a stranger's malformed message",
  run: async (occurrence) => {
    const { business } = occurrence;
    const stranger = await occurrence.customer();
    await occurrence.hostile(stranger, { kind: oneOf(malformed), claim: business.contacts[0]! });
    const written = await occurrence.write(stranger, { text: occurrence.text("hello?") });
    return { happened: () => true, checks: [received(business, written)] };
  },
};

/** WhatsApp delivers a message several times. */
const duplicates: Scenario = {
  name: "a duplicate",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer();
    await occurrence.fault({ kind: "duplicate", phone: customer, copies: 3, times: 2 });
    const written: Written[] = [];
    for (let n = 0; n < 2; n++) written.push(await occurrence.write(customer, { text: occurrence.text("twice") }));
    return {
      happened: ({ whatsapp }) => whatsapp.has("duplicated", ({ id }) => id === written[0]!.id),
      checks: written.map((each) => received(business, each)),
    };
  },
};

export const strangers: Scenario[] = [garbage, hostile, duplicates];
