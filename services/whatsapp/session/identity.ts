import { jidNormalizedUser } from "@whiskeysockets/baileys";
import type { AuthState } from "../auth/auth_state.ts";

/** The WhatsApp account of a linked login. */
export type Identity = { phone: string | null; lid: string | null; name: string | null };
export const noIdentity: Identity = { phone: null, lid: null, name: null };

export function identityOf(auth: AuthState): Identity {
  const { me } = auth.creds;
  if (!auth.paired || !me) return noIdentity;
  return {
    phone: jidNormalizedUser(me.id).split("@")[0] ?? null,
    lid: me.lid ? jidNormalizedUser(me.lid) : null,
    name: me.name && me.name !== "~" ? me.name : null,
  };
}
