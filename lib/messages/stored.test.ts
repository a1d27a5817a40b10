import { expect, test } from "bun:test";
import type { MessageContent } from "./content.ts";
import { contentOf, storedContent } from "./stored.ts";

const target = { wa_message_id: "3EB0A", from_me: true };

const contents: [MessageContent, string | null][] = [
  [{ type: "text", text: "hello" }, "hello"],
  [{ type: "text", text: "yes", reply_to: { ...target, text: "coming?" } }, "yes"],
  [{ type: "location", latitude: 1.5, longitude: -2, name: "Office" }, "Office"],
  [
    {
      type: "contact",
      contacts: [
        { name: "Ada", phones: ["15550001111"] },
        { name: "Bo", phones: [] },
      ],
    },
    "Ada, Bo",
  ],
  [{ type: "poll", question: "When?", options: ["now", "later"], max_choices: 1 }, "When?"],
  [{ type: "poll_vote", target, options: ["now"] }, "now"],
  [{ type: "reaction", target, emoji: "👍" }, "👍"],
  [{ type: "edit", target, text: "hullo" }, "hullo"],
  [{ type: "edit", target, text: "When?", poll: { question: "When?", options: ["now"] } }, "When?"],
  [{ type: "text", text: "Order again", selection: "again" }, "Order again"],
  [{ type: "delete", target }, null],
  [{ type: "unavailable", reason: "view_once" }, null],
  [{ type: "unknown", kind: "listMessage", text: "Choose one" }, "Choose one"],
  [
    { type: "image", media: { mime: "image/png", id: "019a3b5c-7d2e-7f00-8a1b-2c3d4e5f6071" }, caption: "look" },
    "look",
  ],
  [{ type: "audio", media: { mime: "audio/ogg", seconds: 2.5 }, voice: true }, null],
  [{ type: "document", media: { mime: "application/pdf", size: 5 }, file_name: "a.pdf" }, "a.pdf"],
  [{ type: "sticker", media: { mime: "image/webp", error: "gone" } }, null],
  [{ type: "unknown", kind: "orderMessage" }, null],
];

test.each(contents)("%j survives a round trip through its row", (content, words) => {
  const stored = storedContent(content);
  expect(stored).toMatchObject({ type: content.type, text: words });
  expect(contentOf(JSON.parse(JSON.stringify(stored)) as typeof stored)).toEqual(content);
});

test("stores a plain text once", () => {
  expect(storedContent({ type: "text", text: "hello" }).content).toBeNull();
});

test("an unreadable row becomes unknown and keeps its type", () => {
  expect(contentOf({ type: "hologram", text: null, content: { type: "hologram", beams: 3 } })).toEqual({
    type: "unknown",
    kind: "hologram",
  });
  expect(contentOf({ type: "image", text: "a caption", content: null })).toEqual({ type: "unknown", kind: "image" });
});
