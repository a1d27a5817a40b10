import { inOneChat, received } from "./claim.ts";
import { namings, oneOf } from "./occurrence.ts";
import type { Scenario } from "./occurrence.ts";

/** The business answers on its own phone: the message is in the customer's chat, once. */
const ownPhone: Scenario = {
  name: "a message of the own phone",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer();
    const question = await occurrence.write(customer, { text: occurrence.text("are you open?") });
    await occurrence.rename(customer, oneOf(namings));
    const answer = await occurrence.write(business.phone, { to: customer, text: occurrence.text("until six") });
    return {
      happened: () => true,
      checks: [
        received(business, question),
        received(business, answer, { direction: "outbound", account: customer }),
        inOneChat(business, customer),
      ],
    };
  },
};

export const ownPhones: Scenario[] = [ownPhone];
