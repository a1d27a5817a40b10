import { z } from "@hono/zod-openapi";
import { sharedNow } from "../../../../lib/core/time.ts";
import {
  audioContent,
  card,
  contactContent,
  deleteContent,
  documentContent,
  editContent,
  imageContent,
  locationContent,
  pollContent,
  reactionContent,
  textContent,
  videoContent,
} from "../../../../lib/messages/index.ts";
import { phoneDigits } from "../../http/phone_number.ts";
import { chat } from "../chats/chat.ts";
import { moment, storableText } from "../../http/text.ts";

/*
 * The body of "Send a message". Extends the message types of lib/messages with the limits that apply to customers:
 * lengths that phones display, and other messages and media referenced by id.
 */

/** Fields of every message type. */
const envelope = {
  to: chat.openapi({
    type: "string",
    description: "The recipient: a phone number in international form, or the JID of a person or a group.",
    example: "5511987654321",
  }),
  expires_at: moment
    .refine((at) => at.getTime() > sharedNow(), "must lie in the future")
    .optional()
    .openapi({
      type: "string",
      format: "date-time",
      description: "The message fails if it has not been sent by then.",
      example: "2036-03-01T12:05:00.000Z",
    }),
};

/** WhatsApp truncates longer texts. */
const maxText = 65_536;

const reply_to = z.uuid().optional().openapi({ description: "Id of the message in this chat to quote." });
const target = z.uuid().openapi({ description: "Id of the message in this chat to react to, edit or delete." });

const text = textContent.omit({ selection: true }).extend({
  text: storableText(1, maxText).openapi({ description: "The text to send.", example: "Your order is ready." }),
  reply_to,
});

const media = z.uuid().openapi({ description: "Id of a file that the business uploaded or received." });
const caption = storableText(1, 1_024).optional();
const image = imageContent.extend({ media, caption, reply_to });
const video = videoContent.extend({ media, caption, reply_to });
const audio = audioContent.extend({
  media,
  voice: z
    .boolean()
    .default(false)
    .openapi({ description: "Send as a voice note, shown with a waveform. The file must be Ogg with Opus." }),
  reply_to,
});
const document = documentContent.extend({
  media,
  caption,
  file_name: storableText(1, 240).optional().openapi({ example: "invoice.pdf" }),
  reply_to,
});

const location = locationContent.extend({
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
  name: storableText(1, 500).optional(),
  address: storableText(1, 1_000).optional(),
  reply_to,
});

const phone = phoneDigits.openapi({ type: "string", example: "5511987654321" });

const contact = contactContent.extend({
  contacts: z
    .array(card.extend({ name: storableText(1, 200), phones: z.array(phone).min(1).max(10) }))
    .min(1)
    .max(50),
  reply_to,
});

const poll = pollContent.extend({
  question: storableText(1, 255),
  options: z
    .array(storableText(1, 100))
    .min(2)
    .max(12)
    .refine((options) => new Set(options).size === options.length, "must be unique"),
  max_choices: z
    .int()
    .min(0)
    .max(12)
    .default(1)
    .openapi({ description: "Maximum options that one person may choose. 0: no maximum." }),
  reply_to,
});

const graphemes = new Intl.Segmenter();
const emoji = storableText(0, 32).refine(
  (text) => [...graphemes.segment(text)].length <= 1,
  "must be one emoji, or empty to remove the reaction",
);

const reaction = reactionContent.extend({ target, emoji });
const edit = editContent.omit({ poll: true }).extend({ target, text: storableText(1, maxText) });
const remove = deleteContent.omit({ by_administrator: true }).extend({ target });

export const messageRequest = z
  .discriminatedUnion("type", [
    z.strictObject({ ...envelope, ...text.shape }).openapi("NewText"),
    z.strictObject({ ...envelope, ...image.shape }).openapi("NewImage"),
    z.strictObject({ ...envelope, ...video.shape }).openapi("NewVideo"),
    z.strictObject({ ...envelope, ...audio.shape }).openapi("NewAudio"),
    z.strictObject({ ...envelope, ...document.shape }).openapi("NewDocument"),
    z.strictObject({ ...envelope, ...location.shape }).openapi("NewLocation"),
    z.strictObject({ ...envelope, ...contact.shape }).openapi("NewContact"),
    z
      .strictObject({ ...envelope, ...poll.shape })
      .refine(({ options, max_choices }) => max_choices <= options.length, {
        path: ["max_choices"],
        message: "must not exceed the number of options",
      })
      .openapi("NewPoll"),
    z.strictObject({ ...envelope, ...reaction.shape }).openapi("NewReaction"),
    z.strictObject({ ...envelope, ...edit.shape }).openapi("NewEdit"),
    z.strictObject({ ...envelope, ...remove.shape }).openapi("NewDeletion"),
  ])
  .openapi("NewMessage");
export type MessageRequest = z.output<typeof messageRequest>;

type WithoutEnvelope<M> = M extends unknown ? Omit<M, "to" | "expires_at"> : never;
/** A message request without its recipient and expiry. */
export type RequestedContent = WithoutEnvelope<MessageRequest>;
