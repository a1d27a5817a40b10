import { received } from "./claim.ts";
import { namings, oneOf } from "./occurrence.ts";
import type { Scenario } from "./occurrence.ts";

type Missing = { name: string; as: string; expected?: { type: string; reason: string } };

/** Messages that companions get without content. `expected`: what Postgres has of those whose content never comes. */
const kinds: Missing[] = [
  { name: "advertisement", as: "unavailable" },
  { name: "content not resent", as: "unanswered", expected: { type: "unavailable", reason: "not_resent" } },
  { name: "shown once", as: "view_once", expected: { type: "unavailable", reason: "view_once" } },
  { name: "garbled, then resent", as: "garbage_once" },
  { name: "garbled", as: "garbage", expected: { type: "unavailable", reason: "undecryptable" } },
];

export const missingContent: Scenario[] = kinds.map(({ name, as, expected }) => ({
  name,
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer({ naming: oneOf(namings) });
    const written = await occurrence.write(customer, { text: occurrence.text(name), companions_get: as });
    return {
      happened: ({ whatsapp }) =>
        whatsapp.has("withheld", ({ id }) => id === written.id) &&
        (expected !== undefined || whatsapp.has("resent", ({ id }) => id === written.id)),
      checks: [received(business, written, expected)],
    };
  },
}));
