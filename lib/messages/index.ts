export { referenceIn, withReferenceId } from "./reference_in.ts";
export { publicAttachment } from "./attachment.ts";
export type { Attachment, MediaLinks, MediaUrls, PublicAttachment } from "./attachment.ts";
export {
  audioContent,
  card,
  contactContent,
  deleteContent,
  documentContent,
  editContent,
  imageContent,
  locationContent,
  messageContent,
  outboundContent,
  pollContent,
  pollQuestion,
  reactionContent,
  textContent,
  videoContent,
} from "./content.ts";
export type { Card, MediaContent, MessageContent, OutboundContent } from "./content.ts";
export { publicContent, publicContentOf } from "./public.ts";
export type { PublicContent } from "./public.ts";
export type { Quote, Reference } from "./reference.ts";
export { changedState, isChange, mayChange } from "./state.ts";
export type { Edition, MessageState, Reaction } from "./state.ts";
export { contentOf, storedContent } from "./stored.ts";
export type { StoredContent } from "./stored.ts";
export { searchableText } from "./searchable_text.ts";
