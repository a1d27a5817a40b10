import { getContentType } from "@whiskeysockets/baileys";
import type { proto } from "@whiskeysockets/baileys";

/** Fields whose value is a message in a wrapper: disappearing, view-once, with a caption, in an album. */
const wrappers = [
  "ephemeralMessage",
  "viewOnceMessage",
  "viewOnceMessageV2",
  "viewOnceMessageV2Extension",
  "documentWithCaptionMessage",
  "editedMessage",
  "associatedChildMessage",
  "groupStatusMessage",
  "groupStatusMessageV2",
  "groupMentionedMessage",
  "lottieStickerMessage",
  "botInvokeMessage",
  "botForwardedMessage",
  "pollCreationMessageV4",
  "pollCreationOptionImageMessage",
  "questionMessage",
  "questionReplyMessage",
] as const satisfies (keyof proto.IMessage)[];

/** Phones nest two. */
const maxWrappers = 5;
const withoutContent: ReadonlySet<string> = new Set([
  "messageContextInfo",
  "senderKeyDistributionMessage",
  "fastRatchetKeySenderKeyDistributionMessage",
]);

/** A message without its wrappers. `kind`: WhatsApp's name of its content; undefined if it has none. */
export type Unwrapped = { content: proto.IMessage; kind: string | undefined };

export function unwrapped(message: proto.IMessage): Unwrapped {
  let content = message;
  for (let depth = 0; ; depth++) {
    const wrapper = wrappers.find((name) => content[name]);
    if (wrapper === undefined) break;
    const inner = content[wrapper]?.message;
    if (!inner || depth === maxWrappers) return { content: {}, kind: wrapper };
    content = inner;
    // Content of a kind that this version's definitions lack.
    if (kindOf(content) === undefined) return { content, kind: wrapper };
  }
  return { content, kind: kindOf(content) };
}

function kindOf(content: proto.IMessage): string | undefined {
  const named = getContentType(content);
  if (named !== undefined && !withoutContent.has(named)) return named;
  return Object.keys(content).find((name) => !withoutContent.has(name));
}
