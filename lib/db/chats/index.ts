export { aliasesAmong, lockNamesOf, resolveChat } from "./chat_of.ts";
export { learnNames } from "./learn_names.ts";
export type { ChatName } from "./learn_names.ts";
export { listUnmerged, rekeyMessages, settleAlias, unmergedAliases } from "./merge_chats.ts";
export type { MergedChat } from "./merge_chats.ts";
export { splitChats } from "./split_chats.ts";
