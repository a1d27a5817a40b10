import { delivered, inOneChat, received } from "./claim.ts";
import type { Written } from "./claim.ts";
import { jidOf, namings, oneOf, shuffled } from "./occurrence.ts";
import type { Naming, Occurrence, Scenario } from "./occurrence.ts";

/** One account writes under its number, its LID with the number beside it, and its LID alone, in any order. */
const renamedAccount: Scenario = {
  name: "one account, three names",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer();
    const written: Written[] = [];
    for (const naming of shuffled(namings)) {
      await occurrence.rename(customer, naming);
      written.push(await occurrence.write(customer, { text: occurrence.text(`as ${naming}`) }));
    }
    return {
      happened: ({ postgres }) => written.some(({ id }) => postgres.named(business.id, id).length > 0),
      checks: [...written.map((each) => received(business, each)), inOneChat(business, customer)],
    };
  },
};

/** WhatsApp delivers one message under two names of its writer. */
const twiceNamed: Scenario = {
  name: "one message, two names",
  run: async (occurrence) => {
    const { business } = occurrence;
    const [naming, again_as] = shuffled<Naming>(["number", oneOf<Naming>(["lid", "lid_only"])]) as [Naming, Naming];
    const customer = await occurrence.customer({ naming });
    const written = await occurrence.write(customer, { text: occurrence.text("who am I?"), again_as });
    return {
      happened: ({ whatsapp }) => whatsapp.has("renamed", ({ id }) => id === written.id),
      checks: [received(business, written), inOneChat(business, customer)],
    };
  },
};

type Revealing = (occurrence: Occurrence, customer: string) => Promise<unknown>;

/** How the number of a LID becomes known. */
const revelations: Record<string, Revealing> = {
  "by the address book": ({ ask, business }, phone) => ask("POST", `/phones/${business.phone}/contacts`, { phone }),
  "by a message to the number": async (occurrence, customer) =>
    occurrence.shown(await occurrence.submit(customer), customer),
  "by a group": async (occurrence, customer) => {
    const to = await occurrence.group(customer);
    await occurrence.arrived(await occurrence.write(customer, { to, text: occurrence.text("to the group") }));
  },
  "by a later message": (occurrence, customer) => occurrence.rename(customer, "lid"),
};

/** A stranger writes under a LID alone. Its number becomes known later, and the chats are merged. */
const latePhones = Object.entries(revelations).map(([how, reveal]): Scenario => ({
  name: `number known ${how}`,
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer({ naming: "lid_only" });
    const first = await occurrence.write(customer, { text: occurrence.text("who am I?") });
    const wasLid = (await occurrence.arrived(first)).endsWith("@lid");
    await reveal(occurrence, customer);
    const second = await occurrence.write(customer, { text: occurrence.text("it is me") });
    return {
      happened: () => wasLid,
      checks: [received(business, first), received(business, second), inOneChat(business, customer)],
    };
  },
}));

/** A Brazilian number in the spelling of nine digits and of eight. WhatsApp knows one of them. */
const nineDigits: Scenario = {
  name: "another spelling of a number",
  run: async (occurrence) => {
    const { business } = occurrence;
    const local = occurrence.newNumber().slice(-8);
    const [phone, spelling] = shuffled([`55119${local}`, `5511${local}`]) as [string, string];
    const customer = await occurrence.customer({ phone, spellings: [spelling] });
    const sent = await occurrence.submit(spelling);
    if (await occurrence.shown(sent, customer)) {
      const written = await occurrence.write(customer, { text: occurrence.text("an answer") });
      return {
        happened: ({ whatsapp }) => whatsapp.accountOf(jidOf(spelling)) === customer,
        checks: [
          delivered(business, sent, customer),
          received(business, written),
          inOneChat(business, customer),
          async ({ whatsapp }) =>
            (await whatsapp.shown(spelling)).length === 0 ? [] : [`${spelling} was written to as spelled`],
        ],
      };
    }
    return { happened: () => false, checks: [delivered(business, sent, customer)] };
  },
};

/** usync names a number without its LID: the message goes to the number. */
const withoutLid: Scenario = {
  name: "a number without a LID",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer();
    await occurrence.fault({ kind: "no_lid", phone: customer, times: 4 });
    const sent = await occurrence.submit(customer);
    return {
      happened: ({ whatsapp }) => whatsapp.has("lid_hidden", ({ number }) => number === customer),
      checks: [delivered(business, sent, customer)],
    };
  },
};

/** A contact with whom messages are exchanged all the time changes its name in stanzas. */
const renamedContact: Scenario = {
  name: "a contact's name changes",
  run: async (occurrence) => {
    const contact = oneOf(occurrence.business.contacts);
    const naming = oneOf(namings);
    await occurrence.rename(contact, naming);
    return { happened: () => naming !== "number", checks: [] };
  },
};

export const names: Scenario[] = [renamedAccount, twiceNamed, ...latePhones, nineDigits, withoutLid, renamedContact];
