import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "puppeteer-core";
import { until } from "../../lib/testing/until.ts";
import { Authenticator } from "../../services/simulator/testing/authenticator.ts";
import { defaultPasskeyTimes } from "../../services/whatsapp/session/passkey/progress.ts";
import { control, makePhone, newPhone } from "../../services/whatsapp/testing/shard_under_test.ts";
import { load } from "./browser.ts";
import { startPasskeyRig } from "./passkey_rig.ts";
import type { PasskeyRig } from "./passkey_rig.ts";

/*
 * Linking with a passkey end to end: console, browser extension and Chromium's virtual authenticator on one side, the
 * shard and WhatsApp's side of the simulator on the other. The tests run in order, as one owner's browser session.
 */
setDefaultTimeout(120_000);

/** For Chromium, which starts several processes for a window. */
const patience = { timeout: 60_000 };
const promptUrl = "https://web.whatsapp.com/#prosaas-passkey";
let rig: PasskeyRig;
let page: Page;
let business: string;
let phone: string;
let authenticator: Authenticator;

beforeAll(async () => {
  // Without the proof the code has to be compared, so that the whole page is used.
  rig = await startPasskeyRig({ ...defaultPasskeyTimes, handoffMs: 0 });
  page = await rig.browser.newPage();
  page.setDefaultTimeout(patience.timeout);
  await load(page, rig.origin);
  await page.waitForSelector("#key");
  await page.type("#key", rig.api.adminKey);
  await page.keyboard.press("Enter");
  await says("Businesses");
}, 120_000);
afterAll(() => rig?.stop(), 120_000);

/** A business whose phone has scanned the QR code and requires a passkey; the page shows it. */
beforeEach(async () => {
  authenticator = new Authenticator();
  phone = newPhone();
  business = (await rig.api.request("POST", "/v1/businesses", { body: { name: "Padaria Aurora" } })).body.id;
  await makePhone(rig.simulator, phone);
  await control(rig.simulator, "PUT", `/phones/${phone}/passkey`, { credentials: [authenticator.credential] });
  await rig.api.request("POST", `/v1/businesses/${business}/whatsapp/connect`, { body: { method: "qr" } });
  const qr = await until<string | undefined>(async () => (await session()).qr, { what: "the QR code" });
  await control(rig.simulator, "POST", `/phones/${phone}/scan`, { qr });
  await page.evaluate((to: string) => void (location.hash = to), `/businesses/${business}`);
  await says("asks for the account's passkey");
});

const session = async () => (await rig.api.request("GET", `/v1/businesses/${business}/whatsapp`)).body;
const says = (text: string) =>
  page.waitForFunction((wanted: string) => document.body.innerText.includes(wanted), patience, text);
const clickOn = (text: string) =>
  page.evaluate((wanted: string) => {
    [...document.querySelectorAll("button")].find(({ innerText }) => innerText === wanted)!.click();
  }, text);
const enabled = (text: string) =>
  page.waitForFunction(
    (wanted: string) =>
      [...document.querySelectorAll("button")].some((one) => one.innerText === wanted && !one.disabled),
    patience,
    text,
  );

const prompts = async () =>
  (await rig.browser.pages()).filter((one) => one.url().startsWith("https://web.whatsapp.com"));

/** The extension closes its window after it has answered the page. */
const windowsClosed = () => until(async () => (await prompts()).length === 0, { what: "the window to close" });

/** Presses the page's button, and returns the window that the extension opens, with the owner's passkey at hand. */
async function askForPasskey(): Promise<Page> {
  await windowsClosed();
  await enabled("Approve with the passkey");
  await clickOn("Approve with the passkey");
  const prompt = await until<Page | undefined>(async () => (await prompts())[0], { what: "the extension's window" });
  await prompt.waitForSelector("#approve", patience);
  const devtools = await prompt.createCDPSession();
  await devtools.send("WebAuthn.enable");
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  await devtools.send("WebAuthn.addCredential", {
    authenticatorId,
    credential: {
      credentialId: Buffer.from(authenticator.id, "base64url").toString("base64"),
      isResidentCredential: true,
      rpId: "whatsapp.com",
      privateKey: authenticator.privateKey.toString("base64"),
      userHandle: Buffer.from(phone).toString("base64"),
      signCount: 1,
    },
  });
  return prompt;
}

/** Presses a button as a person does: a script's click does not approve. */
async function press(on: Page, button: string): Promise<void> {
  await on.bringToFront();
  await on.focus(button);
  // The answer to the key may arrive after the window has closed because of it.
  await on.keyboard.press("Enter").catch((error: Error) => {
    if (error.name !== "TargetCloseError") throw error;
  });
}

/** Sends the extension a message from a page. Returns its first answer, or undefined if none comes in time. */
const answerTo = (on: Page, message: object, ms: number) =>
  on.evaluate(
    (sent, wait) =>
      new Promise<unknown>((resolve) => {
        const id = crypto.randomUUID();
        addEventListener("message", ({ data }) => data?.from === "prosaas-passkey" && data.id === id && resolve(data));
        postMessage({ to: "prosaas-passkey", id, ...sent }, location.origin);
        setTimeout(() => resolve(undefined), wait);
      }),
    message,
    ms,
  );
/** How long a page waits for an answer that must not come. */
const silenceMs = 1_000;

describe("the extension", () => {
  test("does not answer a site that is not allowed", async () => {
    await says("not allowed on this site");
    expect(await answerTo(page, { ask: "hello" }, silenceMs)).toBeUndefined();
    const { passkey } = await session();
    expect(await answerTo(page, { ask: "assertion", options: passkey.options }, silenceMs)).toBeUndefined();
    expect(await prompts()).toEqual([]);
  });

  test("answers once its user has allowed the site", async () => {
    await page.bringToFront();
    const [extension] = [...(await rig.browser.extensions()).values()];
    await page.triggerExtensionAction(extension!);
    const target = await rig.browser.waitForTarget((one) => one.url().endsWith("/popup.html"), patience);
    const popup = await target.asPage();
    await popup.waitForSelector("#current:not([hidden])");
    expect(await popup.$eval("#site", (site) => site.textContent)).toBe(rig.origin);
    await popup.evaluate(() => document.querySelector<HTMLElement>("#allow")!.click());
    await says("The extension is ready");
    // The browser ends an idle worker and starts it again as another target.
    const stored = async () => {
      const target = await rig.browser.waitForTarget((one) => one.url().endsWith("/background.js"), patience);
      return (await target.worker())!.evaluate("chrome.storage.local.get()");
    };
    const kept = await until<unknown>(stored, { what: "the extension's storage" });
    expect(kept).toEqual({ allowed: [rig.origin] });
  });

  test("links the account with page, passkey and code", async () => {
    await page.evaluate(() =>
      addEventListener("message", ({ data }) => {
        if (data?.assertion) Object.assign(globalThis, { answered: Object.keys(data.assertion as object) });
      }),
    );
    const prompt = await askForPasskey();
    expect(await prompt.$eval("#origin", (origin) => origin.textContent)).toBe(rig.origin);
    expect(await prompt.evaluate(() => document.body.innerText)).not.toContain("WhatsApp Web");
    await prompt.evaluate(() => document.querySelector<HTMLElement>("#approve")!.click());
    expect((await session()).passkey.step).toBe("assertion");
    await press(prompt, "#approve");
    await says("The phone shows a code");
    const answered = await page.evaluate(() => (globalThis as { answered?: string[] }).answered);
    expect(answered).toEqual(["id", "rawId", "type", "response"]);
    const shown = await control<{ code: string }>(rig.simulator, "GET", `/phones/${phone}/passkey`);
    await says(shown.code);
    await clickOn("The codes are the same");
    await until(async () => (await session()).status === "open", { what: "the session to open" });
    await says("open");
    const linked = () => control<{ step: string }>(rig.simulator, "GET", `/phones/${phone}/passkey`);
    await until(async () => (await linked()).step === "linked", { what: "the phone to be linked" });
    expect(await linked()).toMatchObject({ step: "linked", failures: [] });
    await windowsClosed();
  });

  test("says that its window was cancelled or closed", async () => {
    await press(await askForPasskey(), "#cancel");
    await says("The request was cancelled");
    await (await askForPasskey()).close();
    await says("The window was closed without an approval");
    expect((await session()).passkey.step).toBe("assertion");
  });

  test("stays silent on other ports and in frames", async () => {
    const stranger = await rig.browser.newPage();
    try {
      await stranger.goto(rig.strangerOrigin);
      for (const message of [{ ask: "hello" }, { ask: "assertion", options: (await session()).passkey.options }])
        expect(await answerTo(stranger, message, silenceMs)).toBeUndefined();
    } finally {
      await stranger.close();
    }
    const framed = await page.evaluate(async () => {
      const frame = document.body.appendChild(document.createElement("iframe"));
      const answers: unknown[] = [];
      frame.contentWindow!.addEventListener("message", ({ data }) => data?.from && answers.push(data));
      frame.contentWindow!.postMessage({ to: "prosaas-passkey", id: "framed", ask: "hello" }, location.origin);
      await new Promise((resolve) => setTimeout(resolve, 500));
      frame.remove();
      return answers;
    });
    expect(framed).toEqual([]);
    expect(await prompts()).toEqual([]);
  });

  test.each([
    ["another domain", { rpId: "example.com", challenge: "AAAA" }, "not whatsapp.com"],
    ["huge", { rpId: "whatsapp.com", challenge: "A".repeat(100_000) }, "too large"],
    ["nothing", null, "not a passkey request"],
  ])("refuses a request for %s", async (_, options, words) => {
    const answer = await answerTo(page, { ask: "assertion", options }, patience.timeout);
    expect(answer).toMatchObject({ error: expect.stringContaining(words) });
    expect(await prompts()).toEqual([]);
  });

  test("leaves WhatsApp Web alone without a request", async () => {
    const other = await rig.browser.newPage();
    try {
      await other.goto(promptUrl).catch(() => {});
      await other.waitForFunction(
        () => document.body?.innerText.includes("WhatsApp Web") && location.href === "https://web.whatsapp.com/",
        patience,
      );
    } finally {
      await other.close();
    }
  });
});
