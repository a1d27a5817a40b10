import { delivered, received } from "./claim.ts";
import type { Check } from "./claim.ts";
import { namings, oneOf } from "./occurrence.ts";
import type { Scenario } from "./occurrence.ts";

/** A group writes and is written to; Postgres counts the receipts of its members as WhatsApp sent them. */
const conversation: Scenario = {
  name: "a group with receipts",
  run: async (occurrence) => {
    const { business } = occurrence;
    const members = [await occurrence.customer({ naming: oneOf(namings) }), await occurrence.customer()];
    const group = await occurrence.group(...members);
    const written = await occurrence.write(members[0]!, { to: group, text: occurrence.text("to the group") });
    const sent = await occurrence.submit(group);
    const counted: Check = ({ whatsapp, postgres }) => {
      const [row] = postgres.named(business.id, sent.waId);
      if (row === undefined || whatsapp.finallyRefused({ waId: sent.waId, chat: group, error: row.error_code }))
        return [];
      const ticks = whatsapp.all("member_tick").filter(({ id }) => id === sent.waId);
      const read = new Set(ticks.filter(({ status }) => status === "read").map(({ member }) => member)).size;
      // A read message was delivered, even if that tick was suppressed.
      const known = new Set(ticks.map(({ member }) => member)).size;
      const found = [row.group_recipients ?? 0, row.group_delivered ?? 0, row.group_read ?? 0].join();
      const wanted = known === 0 ? "0,0,0" : [members.length, known, read].join();
      return found === wanted ? [] : [`the receipts of ${sent.waId} are ${found} instead of ${wanted}`];
    };
    return {
      happened: ({ whatsapp }) => whatsapp.has("member_tick", ({ id }) => id === sent.waId),
      checks: [
        received(business, written, { group }),
        ...members.map((member) => delivered(business, sent, member)),
        counted,
      ],
    };
  },
};

export const groups: Scenario[] = [conversation];
