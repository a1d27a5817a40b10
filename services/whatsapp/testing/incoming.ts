import type { Incoming } from "../codec/incoming.ts";

export const me = "15550009999@s.whatsapp.net";
export const ada = "15550001111@s.whatsapp.net";
export const bo = "15550002222@s.whatsapp.net";
export const group = "120363000000000001@g.us";

export const incoming = (more: Partial<Incoming> = {}): Incoming => ({
  chat: ada,
  writer: ada,
  fromMe: false,
  isOwn: (jid) => jid === me,
  chatOf: (jid) => jid,
  original: () => undefined,
  isAdministrators: false,
  names: { writer: [ada] },
  ...more,
});
export const inGroup = incoming({ chat: group });
export const onOwnPhone = incoming({ writer: me, fromMe: true });
