import { describe, expect, test } from "bun:test";
import type { MessageContent } from "./content.ts";
import { changedState, mayChange } from "./state.ts";
import type { MessageState } from "./state.ts";

const target = { wa_message_id: "M", from_me: false };
const fresh: MessageState = {
  type: "text",
  text: "hullo",
  content: null,
  edited_at: null,
  deleted_at: null,
  edits: null,
  reactions: null,
};
const at = (second: number) => new Date(1_760_000_000_000 + second * 1000);
const edit = (text: string, second: number) => ({
  content: { type: "edit", target, text } as MessageContent,
  sender: "ada",
  at: at(second),
});
const react = (emoji: string, second: number, sender: string | null = "ada") => ({
  content: { type: "reaction", target, emoji } as MessageContent,
  sender,
  at: at(second),
});

describe("changedState", () => {
  test("keeps the texts before each edit", () => {
    const state = [edit("hello", 1), edit("hello!", 2)].reduce(changedState, fresh);
    expect(state).toMatchObject({ text: "hello!", edited_at: at(2) });
    expect(state.edits).toEqual([
      { text: "hullo", at: null },
      { text: "hello", at: at(1).toISOString() },
    ]);
  });

  test("ignores repetitions and late edits", () => {
    const once = changedState(fresh, edit("hello", 2));
    expect(changedState(once, edit("hello", 2))).toBe(once);
    expect(changedState(once, edit("older", 1))).toBe(once);
  });

  test("edits captions and polls in their content", () => {
    const picture: MessageContent = { type: "image", media: { mime: "image/png" }, caption: "a" };
    expect(changedState({ ...fresh, content: picture }, edit("b", 1)).content).toMatchObject({ caption: "b" });
    const poll: MessageContent = { type: "poll", question: "a", options: ["x"], max_choices: 1 };
    const change = { type: "edit" as const, target, text: "b", poll: { question: "b", options: ["y", "z"] } };
    expect(changedState({ ...fresh, content: poll }, { content: change, sender: null, at: at(1) }).content).toEqual({
      ...poll,
      question: "b",
      options: ["y", "z"],
    });
  });

  test("keeps the text of a deleted message", () => {
    const deleted = changedState(fresh, { content: { type: "delete", target }, sender: "ada", at: at(1) });
    expect(deleted).toMatchObject({ text: "hullo", deleted_at: at(1) });
    expect(changedState(deleted, edit("x", 2))).toBe(deleted);
  });

  test("keeps one reaction of each person", () => {
    const state = [react("👍", 1), react("❤️", 2), react("🙏", 1, null)].reduce(changedState, fresh);
    expect(state.reactions).toMatchObject([
      { sender: "ada", emoji: "❤️" },
      { sender: null, emoji: "🙏" },
    ]);
    expect(changedState(state, react("", 3)).reactions).toMatchObject([{ sender: null }]);
    expect(changedState(state, react("late", 1)).reactions).toEqual(state.reactions);
  });

  test("is bounded, whatever is sent", () => {
    let state = fresh;
    for (let n = 1; n <= 300; n++) state = changedState(state, react("x".repeat(1_000), n, `member ${n}`));
    for (let n = 1; n <= 100; n++) state = changedState(state, edit("y".repeat(60_000), n));
    expect(state.reactions).toHaveLength(200);
    expect(JSON.stringify(state.reactions).length).toBeLessThan(40_000);
    expect(JSON.stringify(state.edits).length).toBeLessThan(70_000);
    for (let n = 101; n <= 200; n++) state = changedState(state, edit("z", n));
    expect(state.edits).toHaveLength(10);
  });
});

describe("mayChange", () => {
  const group = "120363000000000001@g.us";
  const contact = "15550001111@s.whatsapp.net";
  const by = (sender: string | null, chat: string) => ({
    chat,
    sender,
    direction: sender === null ? ("outbound" as const) : ("inbound" as const),
  });
  const edits: MessageContent = { type: "edit", target, text: "x" };
  const deletes: MessageContent = { type: "delete", target };
  const administers: MessageContent = { type: "delete", target, by_administrator: true };
  const reacts: MessageContent = { type: "reaction", target, emoji: "x" };

  test.each<[boolean, string, MessageContent, ReturnType<typeof by>, ReturnType<typeof by> & { type: string }]>([
    [true, "one's own", edits, by("ada", group), { ...by("ada", group), type: "text" }],
    [false, "another member's", edits, by("ada", group), { ...by("bo", group), type: "text" }],
    [false, "the business's", edits, by(contact, contact), { ...by(null, contact), type: "text" }],
    [true, "one's own, under a former name", edits, by("9@lid", contact), { ...by(contact, contact), type: "text" }],
    [false, "an edit", edits, by("ada", group), { ...by("ada", group), type: "edit" }],
    [false, "one's own in another chat", edits, by("ada", contact), { ...by("ada", group), type: "text" }],
    [true, "the business's, by the business", deletes, by(null, group), { ...by(null, group), type: "text" }],
    [false, "a member's, by another", deletes, by("ada", group), { ...by("bo", group), type: "text" }],
    [true, "a member's, by an administrator", administers, by("ada", group), { ...by("bo", group), type: "text" }],
    [false, "outside groups as administrator", administers, by("ada", contact), { ...by(null, contact), type: "text" }],
    [true, "anything, by a reaction", reacts, by("ada", group), { ...by(null, group), type: "image" }],
    [false, "a message of another chat", reacts, by("ada", contact), { ...by(null, group), type: "image" }],
  ])("is %p for %s", (expected, _, content, author, original) => {
    expect(mayChange({ ...author, content }, original)).toBe(expected);
  });
});
