import { delivered } from "./claim.ts";
import { oneOf } from "./occurrence.ts";
import type { Occurrence, Scenario } from "./occurrence.ts";

/** The wait that WhatsApp names with most of its refusals, in seconds. */
const backoff = 1;

type Receiver = (occurrence: Occurrence) => Promise<{ to: string; phone: string }>;

const newCustomer: Receiver = async (occurrence) => {
  const phone = await occurrence.customer();
  return { to: phone, phone };
};
const newGroup: Receiver = async (occurrence) => {
  const phone = await occurrence.customer();
  return { to: await occurrence.group(phone), phone };
};

/** Queries that a first message needs are refused for a while. */
const queries = (
  [
    ["usync", newCustomer],
    ["keys", newCustomer],
    ["groups", newGroup],
  ] as const
).flatMap(([query, receiver]) =>
  [429, 503].map((code): Scenario => ({
    name: `${query} refused with ${code}`,
    run: async (occurrence) => {
      const { business } = occurrence;
      const { to, phone } = await receiver(occurrence);
      await occurrence.fault({ kind: "query_refuse", phone: business.phone, query, code, backoff, times: 2 });
      const sent = await occurrence.submit(to);
      return {
        happened: ({ whatsapp }) =>
          whatsapp.has(
            "query_refused",
            (entry) => entry.phone === business.phone && entry.query === query && entry.code === code,
          ),
        checks: [delivered(business, sent, phone)],
      };
    },
  })),
);

/** Messages are refused for a while. */
const acks = [408, 421, 429, 500, 503].map((code): Scenario => ({
  name: `messages refused with ${code}`,
  run: async (occurrence) => {
    const { business } = occurrence;
    const { to, phone } = await newCustomer(occurrence);
    // Of the business's next messages to anybody, or of those to the customer. Without a named wait the account's own
    // waits would grow to minutes.
    const fault = oneOf([
      { phone: business.phone, times: 2, backoff },
      { phone, times: 2, backoff },
      ...(code === 429 ? [] : [{ phone, times: 1 }]),
    ]);
    await occurrence.fault({ kind: "ack_refuse", code, ...fault });
    const sent = await occurrence.submit(to);
    return {
      happened: ({ whatsapp }) =>
        whatsapp.has("refused", (entry) => entry.phone === business.phone && entry.code === String(code)),
      checks: [delivered(business, sent, phone)],
    };
  },
}));

/** A group's addressing mode is stale. */
const staleGroup: Scenario = {
  name: "a group's message refused with 421",
  run: async (occurrence) => {
    const { business } = occurrence;
    const { to, phone } = await newGroup(occurrence);
    const first = await occurrence.submit(to);
    await occurrence.shown(first, phone);
    await occurrence.fault({ kind: "ack_refuse", phone: business.phone, code: 421, times: 1 });
    const second = await occurrence.submit(to);
    return {
      happened: ({ whatsapp }) =>
        whatsapp.has("refused", (entry) => entry.phone === business.phone && entry.code === "421"),
      checks: [delivered(business, first, phone), delivered(business, second, phone)],
    };
  },
};

/** WhatsApp does not let the business write to one contact: nothing else stops. */
const unwelcome: Scenario = {
  name: "a contact refused with 463",
  run: async (occurrence) => {
    const { business } = occurrence;
    const [refusing, other] = [await occurrence.customer(), await occurrence.customer()];
    await occurrence.fault({ kind: "ack_refuse", phone: refusing, code: 463, times: 1 });
    const refused = await occurrence.submit(refusing);
    const next = await occurrence.submit(other);
    const later = await occurrence.submit(refusing);
    return {
      happened: ({ whatsapp }) => whatsapp.has("refused", (entry) => entry.code === "463" && entry.id === refused.waId),
      checks: [
        delivered(business, refused, refusing),
        delivered(business, next, other),
        delivered(business, later, refusing),
      ],
    };
  },
};

export const refusals: Scenario[] = [...queries, ...acks, staleGroup, unwelcome];
