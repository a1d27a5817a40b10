import { downloadMediaMessage } from "@whiskeysockets/baileys";
import { connect, opened, trust } from "../../testing/client.ts";
import { freshPhone, paired } from "../../testing/control.ts";

/*
 * A client in a process of its own, because Bun reads NODE_EXTRA_CA_CERTS at its start only. Sends a document,
 * downloads it by the message's fields, and prints it. Arguments: the simulator's url, wsUrl and root, and a line of
 * the document.
 */
const [url = "", wsUrl = "", root = "", line = ""] = process.argv.slice(2);
trust(root);
const { auth } = await paired({ url, wsUrl });
const sock = connect(wsUrl, auth);
await opened(sock);
const sent = await sock.sendMessage(`${freshPhone()}@s.whatsapp.net`, {
  document: Buffer.from(line.repeat(20_000)),
  mimetype: "text/plain",
  fileName: "menu.txt",
  caption: "the menu",
});
const fetched = await downloadMediaMessage(sent!, "buffer", {});
process.stdout.write(fetched);
await sock.end(undefined);
process.exit(0);
