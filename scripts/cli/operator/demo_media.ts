import { createHash, randomBytes } from "node:crypto";
import sharp from "sharp";
import { bodyOf } from "../../../lib/api-client/index.ts";
import type { Schemas } from "../../../lib/api-client/index.ts";
import { adminApi } from "./admin_api.ts";
import { numberUpTo, resultCommand, wholeNumber } from "../arguments.ts";
import { createCaller } from "./http.ts";
import { simulatorOf } from "./simulator.ts";
import { readStack } from "./stack.ts";
import { createWait } from "./wait.ts";

const values = resultCommand(
  "demo:media",
  `Exchange pictures and a document with a simulated phone.

A customer sends a picture and a document to a new business, which downloads them from signed
addresses; then the business uploads a picture and sends it to the customer. Compares every byte at
both ends. Exits 1 if one differs.`,
)
  .option("--megabytes <n>", "size of the document", numberUpTo(100), 8)
  .option("--deadline-s <n>", "seconds to wait for each step", wholeNumber(), 60)
  .parse()
  .opts();
const { megabytes } = values;
const deadlineMs = values.deadlineS * 1000;

const say = (line: string) => console.error(line);
const wait = createWait(deadlineMs);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const stack = await readStack();
const control = await simulatorOf(stack);
const api = await adminApi(stack, { timeoutMs: deadlineMs });
const bearer = { headers: { authorization: `Bearer ${control.token}` } };
const simulator = createCaller({ baseUrl: control.url, token: control.token, timeoutMs: deadlineMs });
const ca = await Bun.file(stack.ca_file).text();
const key = (await Bun.file(stack.admin_key_file).text()).trim();

// Numbers of this run only. +999 belongs to no country.
const run = String(Date.now() % 1e9).padStart(9, "0");
const [phone, customer] = [`9990${run}`, `9991${run}`];
const { id: business_id } = await bodyOf(api.POST("/v1/businesses", { body: { name: `Demo of files ${run}` } }));
const path = { business_id };
await simulator("POST", "/phones", { phone, name: "Demo phone" });
await api.POST("/v1/businesses/{business_id}/whatsapp/connect", { params: { path }, body: { method: "qr" } });
const view = () => bodyOf(api.GET("/v1/businesses/{business_id}/whatsapp", { params: { path } }));
const { qr } = await wait("a QR code", async () => ((session) => (session.qr ? session : null))(await view()));
await simulator("POST", `/phones/${phone}/scan`, { qr });
await wait("the session to open", async () => (await view()).status === "open");
say(`business ${business_id} is paired`);

/** The customer sends a file; reports whether the business downloads the same bytes. */
async function receive(
  type: "image" | "document",
  content: Buffer,
  mime: string,
): Promise<{ same: boolean; ms: number }> {
  const start = performance.now();
  const body = {
    to: phone,
    type,
    media: { file: content.toString("base64"), mime },
    ...(type === "document" ? { file_name: "a.bin" } : {}),
  };
  await simulator("POST", `/phones/${customer}/messages`, body);
  const media = await wait(`the ${type}`, async () => {
    const { data } = await bodyOf(
      api.GET("/v1/businesses/{business_id}/messages", { params: { path, query: { direction: "inbound" } } }),
    );
    const found = data.find((message: Schemas["Message"]) => message.type === type)?.content;
    return found && "media" in found && found.media.status !== "pending" ? found.media : null;
  });
  const ms = Math.round(performance.now() - start);
  if (media.url === undefined) return { same: false, ms };
  const had = Buffer.from(await (await fetch(media.url, { tls: { ca } })).arrayBuffer());
  say(`a customer's ${type} of ${content.length} bytes arrived after ${ms} ms: ${media.mime}`);
  return { same: sha256(had) === sha256(content), ms };
}

/** The business uploads a picture and sends it; reports whether the customer's phone shows the same bytes. */
async function send(content: Buffer): Promise<{ same: boolean; ms: number }> {
  const start = performance.now();
  const uploaded = await fetch(new URL(`/v1/businesses/${business_id}/media`, stack.base_url), {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "image/png" },
    body: new Uint8Array(content),
    tls: { ca },
  });
  const { id: media } = (await uploaded.json()) as Schemas["Media"];
  await bodyOf(
    api.POST("/v1/businesses/{business_id}/messages", {
      params: { path },
      body: { to: customer, type: "image", media, caption: "here" },
    }),
  );
  type Shown = { data: { id: string; type: string; text?: string }[] };
  const { id } = await wait("the customer to be shown it", async () => {
    const { data } = await simulator<Shown>("GET", `/phones/${customer}/messages`);
    return data.find(({ type, text }) => type === "image" && text === "here");
  });
  const ms = Math.round(performance.now() - start);
  const opened = Buffer.from(
    await (await fetch(new URL(`/phones/${customer}/messages/${id}/file`, control.url), bearer)).arrayBuffer(),
  );
  say(`the business's picture of ${content.length} bytes is on the customer's phone after ${ms} ms`);
  return { same: sha256(opened) === sha256(content), ms };
}

const noise = { type: "gaussian" as const, mean: 128, sigma: 30 };
const picture = (background: string) =>
  sharp({ create: { width: 800, height: 600, channels: 3, background, noise } })
    .png()
    .toBuffer();
const results = {
  received_picture: await receive("image", await picture("#27a"), "image/png"),
  received_document: await receive("document", randomBytes(megabytes * 1024 * 1024), "application/octet-stream"),
  sent_picture: await send(await picture("#a72")),
};
const ok = Object.values(results).every(({ same }) => same);
say(ok ? "every byte is the same at both ends" : "A FILE DIFFERS");
if (values.json) {
  const flat = Object.fromEntries(Object.entries(results).map(([name, { ms }]) => [`${name}_ms`, ms]));
  console.log(JSON.stringify({ ok, document_mb: megabytes, ...flat }));
}
process.exit(ok ? 0 : 1);
