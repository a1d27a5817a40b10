import type { MessageContent } from "./content.ts";

/** The text of a message before an edit. `at`: the time of the edit to it; null for the original. */
export type Edition = { text: string | null; at: string | null };
/** The reaction of one person. `sender`: their JID; null for the business. */
export type Reaction = { sender: string | null; emoji: string; at: string };

/** The part of a message that later ones change. */
export type MessageState = {
  type: string;
  text: string | null;
  content: MessageContent | null;
  edited_at: Date | null;
  deleted_at: Date | null;
  /** Earlier texts, oldest first. */
  edits: Edition[] | null;
  reactions: Reaction[] | null;
};

/** A later message about it. */
export type MessageChange = { content: MessageContent; sender: string | null; at: Date };

const maxEdits = 10;
/** Characters of the earlier texts of a message: that of one of the longest. */
const maxEditsText = 65_536;
/** People whose reactions are shown; the oldest are dropped. */
const maxReactions = 200;
/** An emoji with skin tones and joiners has a third. */
const maxEmoji = 64;

/** The state of a message after a change. The same object if the change changes nothing, as when it comes again. */
export function changedState<S extends MessageState>(state: S, change: MessageChange): S {
  switch (change.content.type) {
    case "edit":
      return edited(state, change.content, change.at);
    case "delete":
      return state.deleted_at === null ? { ...state, deleted_at: change.at } : state;
    case "reaction":
      return reacted(state, change.content.emoji, change);
    default:
      return state;
  }
}

function edited<S extends MessageState>(state: S, edit: Extract<MessageContent, { type: "edit" }>, at: Date): S {
  // Changes that arrive late do not undo later ones.
  if (state.deleted_at !== null || (state.edited_at !== null && state.edited_at >= at)) return state;
  const edition = { text: state.text, at: state.edited_at?.toISOString() ?? null };
  return {
    ...state,
    text: edit.text,
    content: withText(state.content, edit),
    edited_at: at,
    edits: bounded([...(state.edits ?? []), edition]),
  };
}

/** The latest editions that fit. */
function bounded(edits: Edition[]): Edition[] {
  let room = maxEditsText;
  const kept: Edition[] = [];
  for (const edition of edits.slice(-maxEdits).toReversed()) {
    room -= edition.text?.length ?? 0;
    if (room < 0) break;
    kept.unshift(edition);
  }
  return kept;
}

function withText(content: MessageContent | null, { text, poll }: Extract<MessageContent, { type: "edit" }>) {
  switch (content?.type) {
    case "text":
      return { ...content, text };
    case "image":
    case "video":
    case "document":
      return { ...content, caption: text };
    case "poll":
      return { ...content, question: text, ...(poll && poll.options.length > 0 ? { options: poll.options } : {}) };
    default:
      return content;
  }
}

function reacted<S extends MessageState>(state: S, emoji: string, { sender, at }: MessageChange): S {
  const all = state.reactions ?? [];
  const earlier = all.find((reaction) => reaction.sender === sender);
  if (earlier !== undefined && new Date(earlier.at) >= at) return state;
  const others = all.filter((reaction) => reaction !== earlier);
  if (emoji === "") return earlier === undefined ? state : { ...state, reactions: others };
  const reaction = { sender, emoji: emoji.slice(0, maxEmoji), at: at.toISOString() };
  return { ...state, reactions: [...others, reaction].slice(-maxReactions) };
}

/** Kinds that are about another message. */
const changing: ReadonlySet<string> = new Set(["edit", "delete", "reaction"]);
const unchangeable: ReadonlySet<string> = new Set(["edit", "delete", "reaction", "poll_vote"]);

export const isChange = ({ type }: { type: string }): boolean => changing.has(type);

/** A message as far as a rule for changes needs it. `sender`: null for the business. */
export type Author = { chat: string; direction: "inbound" | "outbound"; sender: string | null };

/**
 * True if WhatsApp lets the author of a change make it: a reaction to any message of the chat, an edit of one's own,
 * and a deletion of one's own or by an administrator of the group. The change itself names its target's author as its
 * sender wishes.
 */
export function mayChange(change: Author & { content: MessageContent }, target: Author & { type: string }): boolean {
  if (change.chat !== target.chat || unchangeable.has(target.type)) return false;
  const { content } = change;
  if (content.type === "reaction") return true;
  const isGroup = change.chat.endsWith("@g.us");
  if (content.type === "delete" && content.by_administrator === true) return isGroup;
  if (change.direction !== target.direction) return false;
  return change.direction === "outbound" || !isGroup || change.sender === target.sender;
}
