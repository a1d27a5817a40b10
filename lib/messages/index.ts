export { referenceIn, withReferenceId } from "./about.ts";
export {
  card,
  contactContent,
  deleteContent,
  editContent,
  locationContent,
  messageContent,
  outboundContent,
  pollContent,
  reactionContent,
  textContent,
} from "./content.ts";
export type { Card, MessageContent, OutboundContent } from "./content.ts";
export { publicContent, publicContentOf } from "./public.ts";
export type { PublicContent } from "./public.ts";
export type { Quote, Reference } from "./reference.ts";
export { contentOf, storedContent } from "./stored.ts";
export type { StoredContent } from "./stored.ts";
export { wordsOf } from "./words.ts";
