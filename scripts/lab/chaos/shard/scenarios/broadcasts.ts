import { received } from "./claim.ts";
import type { Check } from "./claim.ts";
import { namings, oneOf } from "./occurrence.ts";
import type { Scenario } from "./occurrence.ts";

/** Posts, which must not become messages. */
const posts: Scenario[] = [
  { name: "a status", to: "status@broadcast" },
  { name: "a status in a stanza of its own", to: "status@broadcast", stanza: "status" },
  { name: "a channel's post", to: "120363000000000001@newsletter" },
].map(({ name, ...address }) => ({
  name,
  run: async (occurrence) => {
    const { business } = occurrence;
    const author = Math.random() < 0.5 ? oneOf(business.contacts) : await occurrence.customer();
    const posted = await occurrence.post(author, address);
    const notStored: Check = ({ postgres }) =>
      postgres.named(business.id, posted.id).map(({ chat }) => `${name} is stored in ${chat}`);
    // occurrence.write has checked that a companion got it.
    return { happened: () => true, checks: [notStored] };
  },
}));

/** A customer's broadcast list, which belongs in the customer's own chat. */
const list: Scenario = {
  name: "a customer's broadcast list",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer({ naming: oneOf(namings.slice(0, 2)) });
    const body = { to: "1700000000@broadcast", audience: [business.phone], text: occurrence.text("we have moved") };
    const written = await occurrence.write(customer, body);
    return { happened: () => true, checks: [received(business, written)] };
  },
};

export const broadcasts: Scenario[] = [...posts, list];
