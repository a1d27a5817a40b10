import { z } from "zod";
import { attachment } from "./attachment.ts";
import { quote, reference } from "./reference.ts";

/*
 * The content of a message, by kind: the only list of kinds and their fields. The API narrows these schemas for input
 * from customers; API, workers, shards, Postgres and a shard's journal use them as they are. They demand no lengths and
 * no formats, because a message from a stranger must stay readable.
 */

const answers = { reply_to: quote.optional() };

/** `selection`: the id of the button or of the row of a list that was chosen; `text` has its words. */
export const textContent = z.object({
  type: z.literal("text"),
  text: z.string(),
  selection: z.string().optional(),
  ...answers,
});

const media = { media: attachment };
const captioned = { ...media, caption: z.string().optional(), ...answers };

export const imageContent = z.object({ type: z.literal("image"), ...captioned });
export const videoContent = z.object({ type: z.literal("video"), ...captioned });
/** `voice`: spoken for this chat, and shown with its waveform instead of as a file. */
export const audioContent = z.object({ type: z.literal("audio"), ...media, voice: z.boolean(), ...answers });
export const documentContent = z.object({
  type: z.literal("document"),
  ...captioned,
  file_name: z.string().optional(),
});
export const stickerContent = z.object({ type: z.literal("sticker"), ...media, ...answers });

export const locationContent = z.object({
  type: z.literal("location"),
  /** Degrees, north and east positive. */
  latitude: z.number(),
  longitude: z.number(),
  name: z.string().optional(),
  address: z.string().optional(),
  ...answers,
});

/** A contact card. `phones` are international digits if WhatsApp knows the number, else the text of the card. */
export const card = z.object({ name: z.string(), phones: z.array(z.string()) });
export type Card = z.infer<typeof card>;

export const contactContent = z.object({ type: z.literal("contact"), contacts: z.array(card), ...answers });

export const pollContent = z.object({
  type: z.literal("poll"),
  question: z.string(),
  options: z.array(z.string()),
  /** How many options one person may choose; 0: any number. */
  max_choices: z.int().min(0),
  ...answers,
});

/** An empty `emoji` takes an earlier reaction back. */
export const reactionContent = z.object({ type: z.literal("reaction"), target: reference, emoji: z.string() });

/** The question and the options of a poll. */
export const pollQuestion = z.object({ question: z.string(), options: z.array(z.string()) });

/** A new text for an earlier message. `poll`: the earlier message is a poll, and `text` is its new question. */
export const editContent = z.object({
  type: z.literal("edit"),
  target: reference,
  text: z.string(),
  poll: pollQuestion.optional(),
});

/** Takes a message back for everyone in the chat. `by_administrator`: of the group, and not by its author. */
export const deleteContent = z.object({
  type: z.literal("delete"),
  target: reference,
  by_administrator: z.boolean().optional(),
});

/** Somebody's choice in a poll: all that is chosen now. Absent where the vote could not be read. */
export const pollVoteContent = z.object({
  type: z.literal("poll_vote"),
  target: reference,
  options: z.array(z.string()).optional(),
});

/**
 * A message whose content the business does not have. Once it arrives, the message gets its content.
 *   view_once       WhatsApp shows it once, on the phone only
 *   bot, hosted     WhatsApp does not give messages of its bots, or of an account that a provider hosts, to companions
 *   not_resent      only the phone has it (as with the first message of a person who comes from an advertisement), and
 *                   it has not resent it
 *   undecryptable   it cannot be decrypted, and neither its sender nor the phone has resent it
 */
export const unavailableContent = z.object({ type: z.literal("unavailable"), reason: z.string() });

/** A kind that is not in this list; `kind` is WhatsApp's name for it, and `text` has its words, where it is known. */
export const unknownContent = z.object({
  type: z.literal("unknown"),
  kind: z.string().optional(),
  text: z.string().optional(),
});

const withMedia = [imageContent, videoContent, audioContent, documentContent] as const;
const sent = [
  textContent,
  ...withMedia,
  locationContent,
  contactContent,
  pollContent,
  reactionContent,
  editContent,
  deleteContent,
] as const;

/** Content that a business can send. */
export const outboundContent = z.discriminatedUnion("type", sent);
export type OutboundContent = z.infer<typeof outboundContent>;

/** Content of any message. */
export const messageContent = z.discriminatedUnion("type", [
  ...sent,
  stickerContent,
  pollVoteContent,
  unavailableContent,
  unknownContent,
]);
export type MessageContent = z.infer<typeof messageContent>;

/** Content of any message with a file. */
export type MediaContent = Extract<MessageContent, { media: unknown }>;
