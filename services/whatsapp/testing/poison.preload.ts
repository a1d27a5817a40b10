import { proto } from "@whiskeysockets/baileys";
import { poison } from "./poison.ts";

// Loaded into a shard's process by `bun run --preload`: no real message is known to kill the decoder.
const decode = proto.Message.decode.bind(proto.Message);
proto.Message.decode = (reader, length) => {
  if (reader instanceof Uint8Array && Buffer.from(reader).includes(poison)) process.kill(process.pid, "SIGKILL");
  return decode(reader, length);
};
