import { delivered, received } from "./claim.ts";
import type { Check } from "./claim.ts";
import type { Scenario } from "./occurrence.ts";

const day = 86_400;

/** The messages of a chat disappear: the business's answer keeps the timer. */
const disappearing: Scenario = {
  name: "a chat with disappearing messages",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer();
    const written = await occurrence.write(customer, { text: occurrence.text("hello"), expiration: day });
    await occurrence.arrived(written);
    const sent = await occurrence.submit(customer);
    const keepsTimer: Check = async ({ whatsapp }) =>
      (await whatsapp.shown(customer))
        .filter(({ text, expiration }) => text === sent.text && expiration !== day)
        .map(() => `${sent.waId} has lost the timer of its chat`);
    return {
      happened: () => true,
      checks: [received(business, written), delivered(business, sent, customer), keepsTimer],
    };
  },
};

export const timers: Scenario[] = [disappearing];
