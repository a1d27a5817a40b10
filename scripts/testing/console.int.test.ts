import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "puppeteer-core";
import { uuidv7 } from "../../lib/core/ids.ts";
import { until } from "../../lib/testing/until.ts";
import { sessionOf } from "../../services/api/testing/fake_shards.ts";
import type { Harness } from "../../services/api/testing/harness.ts";
import { startConsoleRig } from "./console_rig.ts";
import type { ConsoleRig } from "./console_rig.ts";

// The tests run in the order they are written, as one user's session.
let rig: ConsoleRig;
let api: Harness;
let page: Page;
let business: string;
let faults: string[];
let requests: Map<string, number>;

beforeAll(async () => {
  rig = await startConsoleRig();
  ({ api, page, business, faults, requests } = rig);
});
afterAll(() => rig?.stop());

const says = (text: string) => rig.says(text);
const visit = (hash: string) => rig.visit(hash);
const send = (text: string) => rig.send(text);
const publish = (event: string) => rig.publish(event);

/** Publishes until the page shows the effect: the page may not have opened its stream at the first time. */
async function publishUntil(event: string, isShown: () => boolean): Promise<void> {
  const shows = async () => {
    await publish(event);
    return page.evaluate(isShown);
  };
  await until(shows, { what: `the effect of ${event}`, everyMs: 500 });
}

/** The interval of services/console/app/shards.tsx. */
const shardsEveryMs = 3_000;

/**
 * Answers that the tests cause, which the browser logs, at times late: unknown keys and ended sessions, a setting that
 * is refused, files that the empty store does not have, and streams that are refused.
 */
const expectedFaults = [
  /\b401\b/,
  /\b400\b.*\/v1\/businesses\//,
  /\b404\b.*\/v1\/files\//,
  /\b503\b.*\/events$/,
  // Chromium cuts open streams when an interface of the machine changes, as beside a cluster of the lab.
  /ERR_NETWORK_CHANGED.*\/events$/,
];

describe("the console", () => {
  test("signs in by keyboard, hiding the key from scripts", async () => {
    await page.waitForSelector("#key");
    await page.type("#key", `psk_abcdefgh_${"a".repeat(43)}`);
    await page.keyboard.press("Enter");
    await says("This API key is unknown");
    await page.$eval("#key", (input) => ((input as HTMLInputElement).value = ""));
    await page.type("#key", api.adminKey);
    await page.keyboard.press("Enter");
    await says("Padaria Aurora");
    const kept = await page.evaluate(() => JSON.stringify([document.cookie, localStorage, sessionStorage]));
    expect(kept).not.toContain("prosaas=");
    expect(kept).not.toContain(api.adminKey);
  });

  test("lists and finds businesses", async () => {
    await says("Another");
    await says("qr");
    await page.type('input[type="search"]', "aurora");
    await page.waitForFunction(() => !document.body.innerText.includes("Another"));
    await says("Padaria Aurora");
  });

  test("shows a QR code until it is scanned", async () => {
    await visit(`/businesses/${business}`);
    await page.waitForFunction(() => (document.querySelector<HTMLImageElement>("figure img")?.naturalWidth ?? 0) > 0);
    api.shards.sessions.set(business, sessionOf(business));
    await publishUntil("session.status", () => document.querySelector("figure img") === null);
    await says("open");
  });

  test("changes the settings of a business", async () => {
    const settings = async () => (await api.request("GET", `/v1/businesses/${business}`)).body;
    await visit(`/businesses/${business}/settings`);
    await page.waitForSelector("#device-name");
    await page.type("#device-name", "<b>");
    await page.keyboard.press("Enter");
    await says("must be 1 to 50 letters");
    await page.$eval("#device-name", (input) => (input as HTMLInputElement).select());
    await page.type("#device-name", "São João");
    await page.keyboard.press("Enter");
    await until(async () => (await settings()).device_name === "São João", { what: "the device name" });
    await page.click("#receive-statuses");
    await until(async () => (await settings()).receive_statuses, { what: "the setting of statuses" });
  });

  test("shows messages with ticks and updates them live", async () => {
    await send("The first of all");
    await visit(`/businesses/${business}/chats/${encodeURIComponent("5511900000002@s.whatsapp.net")}`);
    await says("The first of all");
    await send("One that comes later");
    // The list of chats may show the text first.
    await publishUntil("message.sent", () => document.querySelectorAll('.thread [role="img"]').length === 2);
    expect(
      await page.$$eval('.thread [role="img"]', (ticks) => ticks.map((tick) => tick.getAttribute("aria-label"))),
    ).toEqual(["queued", "queued"]);
    await says("One that comes later");
  });

  describe("messages with files", () => {
    const received = (content: object) =>
      api.database.owner`
      insert into messages
        (id, business_id, direction, chat, sender, type, text, content, status, wa_message_id, queued_at)
      select ${uuidv7()}, ${business}, 'inbound', '5511900000003@s.whatsapp.net', '5511900000003@s.whatsapp.net',
             ${(content as { type: string }).type}, null, ${JSON.stringify(content)}::text::jsonb, 'delivered',
             ${uuidv7()}, now()`;
    const attachment = (mime: string) => ({ id: uuidv7(), mime, size: 12_000 });

    test("show pictures, players and files", async () => {
      await received({ type: "image", media: attachment("image/png") });
      await received({ type: "audio", media: attachment("audio/ogg"), voice: true });
      await received({ type: "video", media: attachment("video/mp4") });
      await received({ type: "document", media: attachment("application/pdf"), file_name: "תפריט.pdf" });
      await visit(`/businesses/${business}/chats/${encodeURIComponent("5511900000003@s.whatsapp.net")}`);
      await says("תפריט.pdf");
      const links = await page.$$eval(".thread :is(img, audio, video)", (all) =>
        all.map((each) => (each as HTMLMediaElement).src),
      );
      expect(links).toHaveLength(3);
      for (const link of links) expect(link).toStartWith(`${new URL(page.url()).origin}/v1/files/${business}/`);
      expect(await page.$eval(".thread a.file", (link) => link.download)).toBe("תפריט.pdf");
    });

    test("are written in the direction of their script", async () => {
      await send("שלום, ההזמנה מוכנה");
      await visit(`/businesses/${business}/chats/${encodeURIComponent("5511900000002@s.whatsapp.net")}`);
      await says("ההזמנה");
      const directions = await page.$$eval(".thread p[dir=auto]", (all) =>
        all.filter((each) => each.textContent.includes("שלום")).map((each) => getComputedStyle(each).direction),
      );
      expect(directions).toEqual(["rtl"]);
    });
  });

  describe("live updates", () => {
    test("arrive while events never pause", async () => {
      let stops = false;
      const flood = (async () => {
        while (!stops) {
          await publish("message.sent");
          await Bun.sleep(50);
        }
      })();
      try {
        await send("Sent during the flood");
        await says("Sent during the flood");
      } finally {
        stops = true;
        await flood;
      }
    });

    test("cost the Shards page no request an event", async () => {
      await visit("/shards");
      await says("http://shard-2");
      const asked = () => requests.get("/v1/admin/shards") ?? 0;
      const [before, begun] = [asked(), performance.now()];
      for (let n = 0; n < 50; n++) await publish("message.sent");
      await publish("session.status");
      // The events arrive before the second of them.
      await until(() => asked() >= before + 2, { what: "the page's own intervals" });
      expect(asked() - before).toBeLessThan(4 + (performance.now() - begun) / shardsEveryMs);
    });

    test("go on after a stream was refused with 503", async () => {
      rig.refuseStreams(true);
      await visit(`/businesses/${business}`);
      await visit("/businesses");
      await rig.endStreams();
      await page.waitForFunction(() => document.querySelector(".live")?.textContent === "reconnecting");
      const asked = requests.get("/v1/admin/events") ?? 0;
      await until(() => (requests.get("/v1/admin/events") ?? 0) > asked, { what: "another attempt" });
      rig.refuseStreams(false);
      await page.waitForFunction(() => document.querySelector(".live")?.textContent === "live");
    });
  });

  test("shows queues, shards and calls by keyboard", async () => {
    const follow = async (title: string) => {
      await page.focus(`nav a[href="#/${title.toLowerCase()}"]`);
      await page.keyboard.press("Enter");
      await page.waitForFunction((wanted: string) => document.querySelector("h1")?.textContent === wanted, {}, title);
    };
    await follow("Queues");
    await says("high");
    await page.click('a[href="#/queues/high"]');
    await says("Dead letters of high");
    await follow("Shards");
    await says("http://shard-2");
    await follow("Calls");
    await page.waitForSelector("#limit");
    await page.type("#limit", "7");
    await page.keyboard.press("Enter");
    await says("of 7 in progress");
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>("#limit")?.value === "");
  });

  test("asks for confirmation of a call limit of 0", async () => {
    await page.type("#limit", "0");
    await page.keyboard.press("Enter");
    await page.waitForSelector("dialog[open]");
    expect(await page.$eval("dialog[open] p", (question) => question.textContent)).toBe(
      "Refuse every new call of every business?",
    );
    await page.click("dialog[open] button:not(.danger)");
    await says("of 7 in progress");
    await page.$eval("#limit", (input) => ((input as HTMLInputElement).value = ""));
  });

  test("keeps the chosen theme", async () => {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.select(".theme select", "dark");
    const dark = await ground();
    await page.select(".theme select", "light");
    expect(await ground()).not.toBe(dark);
    await page.select(".theme select", "dark");
    await page.reload();
    await says("Calls");
    expect(await ground()).toBe(dark);
  });

  test("signs out without errors or violated policies", async () => {
    await page.evaluate(() =>
      [...document.querySelectorAll("button")].find((button) => button.textContent === "Sign out")?.click(),
    );
    await page.waitForSelector("#key");
    const { headers } = await fetch(page.url(), { tls: { rejectUnauthorized: false } });
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(faults.filter((fault) => !expectedFaults.some((expected) => expected.test(fault)))).toEqual([]);
  });
});
