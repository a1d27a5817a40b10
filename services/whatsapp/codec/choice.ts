import type { proto } from "@whiskeysockets/baileys";
import { z } from "zod";
import { jsonOrUndefined } from "../../../lib/core/json.ts";

/** The answer to a message with buttons or a list: its words, and the id of what was chosen. */
export type Choice = { text: string; selection?: string };

/** Senders create the parameters; phones' have a few hundred characters. */
const maxParams = 16_384;
const selection = z.object({ id: z.string() });

/** The words of an answer to buttons, a list, a template or a flow; undefined for other kinds. */
export function choiceIn(content: proto.IMessage): Choice | undefined {
  const { buttonsResponseMessage: button, templateButtonReplyMessage: template } = content;
  const { listResponseMessage: list, interactiveResponseMessage: flow } = content;
  if (button) return choice(button.selectedDisplayText, button.selectedButtonId);
  if (template) return choice(template.selectedDisplayText, template.selectedId);
  if (list) return choice(list.title || list.description, list.singleSelectReply?.selectedRowId);
  if (flow) return choice(flow.body?.text, idIn(flow.nativeFlowResponseMessage?.paramsJson));
  return undefined;
}

/**
 * The words of messages with buttons, lists, products or orders, of calendar events, and of invitations to groups;
 * undefined for other kinds.
 */
export function promptIn(content: proto.IMessage): string | undefined {
  const { buttonsMessage, listMessage, templateMessage, interactiveMessage } = content;
  const { groupInviteMessage, productMessage, orderMessage, eventMessage } = content;
  const template = templateMessage?.hydratedTemplate ?? templateMessage?.hydratedFourRowTemplate;
  return (
    buttonsMessage?.contentText ||
    listMessage?.description ||
    listMessage?.title ||
    template?.hydratedContentText ||
    templateMessage?.interactiveMessageTemplate?.body?.text ||
    interactiveMessage?.body?.text ||
    groupInviteMessage?.caption ||
    productMessage?.body ||
    orderMessage?.message ||
    eventIn(eventMessage) ||
    undefined
  );
}

/** The name and the description of a calendar event. */
function eventIn(event: proto.Message.IEventMessage | null | undefined): string | undefined {
  return event ? [event.name, event.description].filter(Boolean).join("\n") : undefined;
}

function choice(text: string | null | undefined, selection: string | null | undefined): Choice {
  // An answer without words still says what was chosen.
  return { text: text || selection || "", ...(selection ? { selection } : {}) };
}

function idIn(params: string | null | undefined): string | undefined {
  if (!params || params.length > maxParams) return undefined;
  return selection.safeParse(jsonOrUndefined(params)).data?.id;
}
