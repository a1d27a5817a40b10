import { proto } from "@whiskeysockets/baileys";

/** A text that the process does not survive, as one that exhausts its memory or the stack of native code. */
export const poison = "a text that kills whoever decodes it";

// Loaded into a shard's process by `bun run --preload`: no message is known that does this to the decoder as it is.
const decode = proto.Message.decode.bind(proto.Message);
proto.Message.decode = (reader, length) => {
  if (reader instanceof Uint8Array && Buffer.from(reader).includes(poison)) process.kill(process.pid, "SIGKILL");
  return decode(reader, length);
};
