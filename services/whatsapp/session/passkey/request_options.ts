import type { BinaryNode } from "@whiskeysockets/baileys";
import { getBinaryNodeChild } from "@whiskeysockets/baileys";
import { maxOptionsBytes, passkeyOptions } from "../../../../lib/contracts/shard/passkey.ts";
import type { PasskeyOptions } from "../../../../lib/contracts/shard/passkey.ts";

/** The options in a stanza's `<passkey_request_options>`. Undefined if there are none, or none that can be read. */
export function optionsIn(stanza: BinaryNode): PasskeyOptions | undefined {
  const content = getBinaryNodeChild(stanza, "passkey_request_options")?.content;
  if (!(content instanceof Uint8Array) || content.length > maxOptionsBytes) return undefined;
  try {
    const options = passkeyOptions.parse(JSON.parse(Buffer.from(content).toString("utf8"), withoutNulls));
    // Throws if they are nested too deeply to be shown.
    JSON.stringify(options);
    return options;
  } catch {
    return undefined;
  }
}

/** A field that is null counts as absent. */
function withoutNulls(_key: string, value: unknown): unknown {
  return value === null ? undefined : value;
}
