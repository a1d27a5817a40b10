import { delivered } from "./claim.ts";
import type { Check, Claim } from "./claim.ts";
import type { Occurrence, Scenario } from "./occurrence.ts";

/**
 * Links a companion to a phone for the duration of `work`; returns what it did, and how many stanzas the companion got.
 * Afterwards the companion is removed, so that its mail does not count as undelivered.
 */
async function withCompanion<T>(
  { ask }: Occurrence,
  phone: string,
  work: (device: number) => Promise<T>,
): Promise<{ result: T; mail: number }> {
  const { device } = await ask<{ device: number }>("POST", `/phones/${phone}/companions`, {});
  try {
    const result = await work(device);
    const { devices: all } = await ask<{ devices: { device: number; waiting: number }[] }>("GET", `/phones/${phone}`);
    return { result, mail: all.find((each) => each.device === device)?.waiting ?? 0 };
  } finally {
    await ask("DELETE", `/phones/${phone}/companions/${device}`);
  }
}

/** One of a customer's devices has no keys: the others get the message. */
const keylessCompanion: Scenario = {
  name: "a companion without keys",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer();
    const { result } = await withCompanion(occurrence, customer, async (device) => {
      await occurrence.fault({ kind: "no_keys", phone: customer, device, code: 404 });
      const sent = await occurrence.submit(customer);
      await occurrence.shown(sent, customer);
      return { sent, device };
    });
    return {
      happened: ({ whatsapp }) =>
        whatsapp.has("keyless", ({ number, device }) => number === customer && device === result.device),
      checks: [delivered(business, result.sent, customer)],
    };
  },
};

/** The only device of a customer has no keys for a while: the message waits. */
const keylessPhone: Scenario = {
  name: "a phone without keys",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer();
    await occurrence.fault({ kind: "no_keys", phone: customer, code: 406, times: 2 });
    const sent = await occurrence.submit(customer);
    return {
      happened: ({ whatsapp }) => whatsapp.has("keyless", ({ number }) => number === customer),
      checks: [delivered(business, sent, customer)],
    };
  },
};

/** A member of a group has no keys: the others get the message, and it gets the next one. */
const keylessMember: Scenario = {
  name: "a group member without keys",
  run: async (occurrence) => {
    const { business } = occurrence;
    const [member, keyless] = [await occurrence.customer(), await occurrence.customer()];
    await occurrence.fault({ kind: "no_keys", phone: keyless, times: 1 });
    const group = await occurrence.group(member, keyless);
    const sent = [await occurrence.submit(group), await occurrence.submit(group)] as const;
    return {
      happened: ({ whatsapp }) => whatsapp.has("keyless", ({ number }) => number === keyless),
      checks: [...sent.map((each) => delivered(business, each, member)), delivered(business, sent[1], keyless)],
    };
  },
};

/** A customer links a companion that the business's client does not know: WhatsApp answers with another hash. */
const newCompanion: Scenario = {
  name: "a new companion",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer();
    const first = await occurrence.submit(customer);
    if (!(await occurrence.shown(first, customer)))
      return { happened: () => false, checks: [delivered(business, first, customer)] };
    const { result: later, mail } = await withCompanion(occurrence, customer, async () => {
      const missing = await occurrence.submit(customer);
      // WhatsApp's answer has the other hash.
      await occurrence.decided(missing);
      const reaching = await occurrence.submit(customer);
      await occurrence.shown(reaching, customer);
      return [missing, reaching] as const;
    });
    const isMissed: Claim["happened"] = ({ whatsapp }) =>
      whatsapp.has("devices_missed", ({ id }) => id === later[0].waId);
    const isReached: Check = (sides) =>
      mail > 0 || !isMissed(sides) ? [] : [`the new companion of ${customer} got nothing after ${later[0].waId}`];
    return {
      happened: isMissed,
      checks: [...[first, ...later].map((each) => delivered(business, each, customer)), isReached],
    };
  },
};

export const devices: Scenario[] = [keylessCompanion, keylessPhone, keylessMember, newCompanion];
