import { delivered, received } from "./claim.ts";
import type { Check } from "./claim.ts";
import { jidOf, namings, oneOf } from "./occurrence.ts";
import type { Scenario } from "./occurrence.ts";

const lidSeals = [
  { names: "lid", plain: "edit" },
  { names: "lid", plain: "content" },
];
const seals = [{ names: "number", plain: "edit" }, ...lidSeals];

/** A customer corrects a message: plainly, or sealed as newer phones do. */
const edits: Scenario[] = [true, false].map((sealed) => ({
  name: sealed ? "a sealed edit" : "an edit",
  run: async (occurrence) => {
    const { business } = occurrence;
    const naming = oneOf(namings);
    const customer = await occurrence.customer({ naming });
    const original = await occurrence.write(customer, { text: occurrence.text("at noun") });
    const target = { wa_message_id: original.id, from_me: true };
    const corrected = occurrence.text("at noon");
    // A business cannot open a seal under a number that is unknown to it.
    const seal = oneOf(naming === "lid_only" ? lidSeals : seals);
    const edit = { type: "edit", target, text: corrected, ...(sealed ? { seal } : {}) };
    const written = await occurrence.write(customer, edit);
    const isEdited: Check = ({ postgres }) =>
      postgres.named(business.id, original.id)[0]?.edited_at ? [] : [`${original.id} is not marked as edited`];
    return {
      happened: () => true,
      checks: [
        received(business, { ...original, text: corrected }),
        received(business, written, { type: "edit" }),
        isEdited,
      ],
    };
  },
}));

/** A customer takes a message back. */
const deletion: Scenario = {
  name: "a deletion",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer({ naming: oneOf(namings) });
    const original = await occurrence.write(customer, { text: occurrence.text("forget it") });
    const target = { wa_message_id: original.id, from_me: true };
    await occurrence.write(customer, { type: "delete", target });
    const isDeleted: Check = ({ postgres }) =>
      postgres.named(business.id, original.id)[0]?.deleted_at ? [] : [`${original.id} is not marked as deleted`];
    return { happened: () => true, checks: [received(business, original), isDeleted] };
  },
};

/** A customer reacts to a message of the business, under any name. */
const reaction: Scenario = {
  name: "a reaction",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer();
    const sent = await occurrence.submit(customer);
    const checks = [delivered(business, sent, customer)];
    if (!(await occurrence.shown(sent, customer))) return { happened: () => false, checks };
    await occurrence.rename(customer, oneOf(namings));
    const target = { wa_message_id: sent.waId, from_me: false };
    await occurrence.write(customer, { type: "reaction", target, emoji: "👍" });
    const isShown: Check = ({ postgres }) => {
      const { reactions } = postgres.named(business.id, sent.waId)[0] ?? { reactions: null };
      const [only] = reactions ?? [];
      return reactions?.length === 1 && only?.emoji === "👍" && only.sender === jidOf(customer)
        ? []
        : [`${sent.waId} has the reactions ${JSON.stringify(reactions)}`];
    };
    return { happened: () => true, checks: [...checks, isShown] };
  },
};

/** A customer votes in a poll of the business, under any name. */
const vote: Scenario = {
  name: "a poll's vote",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer();
    const question = occurrence.text("When?");
    const poll = { type: "poll" as const, question, options: ["now", "later"], max_choices: 1 };
    const sent = { ...(await occurrence.submit(customer, poll)), text: question };
    const checks = [delivered(business, sent, customer)];
    if (!(await occurrence.shown(sent, customer))) return { happened: () => false, checks };
    await occurrence.rename(customer, oneOf(namings));
    const target = { wa_message_id: sent.waId, from_me: false };
    const ballot = await occurrence.write(customer, { type: "poll_vote", target, options: ["later"] });
    const isCounted: Check = ({ postgres }) => {
      const [row] = postgres.named(business.id, ballot.id);
      const { options, target: about } = row?.content ?? {};
      return row?.type === "poll_vote" && options?.join() === "later" && about?.id === sent.id
        ? []
        : [`the vote ${ballot.id} is ${JSON.stringify(row?.content)}`];
    };
    return { happened: () => true, checks: [...checks, isCounted] };
  },
};

export const changes: Scenario[] = [...edits, deletion, reaction, vote];
