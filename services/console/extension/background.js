"use strict";

/*
 * Passes a request from an allowed site to a prompt on WhatsApp Web's origin, and the answer back. Keeps the list of
 * allowed origins (storage.local) and, until it is answered, one request in memory (storage.session).
 */

const promptUrl = "https://web.whatsapp.com/#prosaas-passkey";
const promptOrigin = "https://web.whatsapp.com";
const relyingParty = "whatsapp.com";
const maxOptionsLength = 32 * 1024;
const promptSize = { width: 480, height: 560 };

/** An error that the asking page may see. */
class Refusal extends Error {}

chrome.runtime.onMessage.addListener((message, sender, reply) => {
  if (sender.id !== chrome.runtime.id || sender.tab === undefined || sender.frameId !== 0) return false;
  const handle = sender.origin === promptOrigin ? fromPrompt : fromSite;
  handle(message, sender).then(reply, (error) =>
    reply({ error: error instanceof Refusal ? error.message : "The extension failed. Reload it and try again." }),
  );
  return true;
});

/** A page that is not allowed gets no answer, so that it cannot detect the extension. */
async function fromSite({ ask, id, options }, { tab, origin }) {
  if (!(await isAllowed(origin))) return undefined;
  if (ask === "hello") return { version: chrome.runtime.getManifest().version };
  if (ask !== "assertion") return undefined;
  check(options);
  await begin({ id, options, origin, site: tab.id });
  return {};
}

async function fromPrompt({ ask, assertion, error }, { tab }) {
  const request = await pending();
  if (request?.prompt !== tab.id) return undefined;
  if (ask === "request") return { origin: request.origin, options: request.options };
  if (ask === "answer") await finish(request, error === undefined ? { assertion } : { error: String(error) });
  return {};
}

function check(options) {
  if (typeof options !== "object" || options === null || JSON.stringify(options).length > maxOptionsLength)
    throw new Refusal("The request is not a passkey request, or too large.");
  if (options.rpId !== relyingParty) throw new Refusal(`The request is for ${options.rpId}, not ${relyingParty}.`);
  if (typeof options.challenge !== "string") throw new Refusal("The request has no challenge.");
}

let beginning = Promise.resolve();

/** Begins one request after the other, so that two at once open one window. */
function begin(request) {
  const begun = beginning.then(() => open(request));
  beginning = begun.catch(() => {});
  return begun;
}

/** Opens the prompt. A later request of the same tab replaces an earlier one; other tabs have to wait. */
async function open(request) {
  const earlier = await pending();
  if (earlier !== undefined) {
    if (earlier.site !== request.site) throw new Refusal("Another page asks for the passkey now. Answer it first.");
    await finish(earlier, { error: "A later request replaced this one." });
  }
  // The prompt's tab has to be known before the prompt asks for its request.
  const { id: windowId, tabs } = await chrome.windows.create({ url: "about:blank", type: "popup", ...promptSize });
  const prompt = tabs[0].id;
  await chrome.storage.session.set({ pending: { ...request, prompt, windowId } });
  await chrome.tabs.update(prompt, { url: promptUrl });
}

/** Answers the site and closes the prompt. */
async function finish({ id, site, windowId }, answer) {
  await chrome.storage.session.remove("pending");
  await chrome.tabs.sendMessage(site, { id, ...answer }, { frameId: 0 }).catch(() => {});
  await chrome.windows.remove(windowId).catch(() => {});
}

async function pending() {
  return (await chrome.storage.session.get("pending")).pending;
}

chrome.tabs.onRemoved.addListener(async (tab) => {
  const request = await pending();
  if (request?.prompt === tab) await finish(request, { error: "The window was closed without an approval." });
  if (request?.site === tab) await finish(request, { error: "The page was closed." });
});

/** The user's list, and the browser's permission for the origin. */
async function isAllowed(origin) {
  const { allowed = [] } = await chrome.storage.local.get("allowed");
  return allowed.includes(origin) && chrome.permissions.contains({ origins: [`${origin}/*`] });
}

let registering = Promise.resolve();

/** Runs site.js on the allowed sites: on later visits, and in the tabs that are open. */
function register() {
  registering = registering.then(async () => {
    const { allowed = [] } = await chrome.storage.local.get("allowed");
    const origins = [];
    for (const origin of allowed) if (await isAllowed(origin)) origins.push(origin);
    await chrome.scripting.unregisterContentScripts();
    if (origins.length === 0) return;
    const matches = origins.map((origin) => `${origin}/*`);
    await chrome.scripting.registerContentScripts([{ id: "site", js: ["site.js"], matches, runAt: "document_start" }]);
    for (const { id } of await chrome.tabs.query({ url: matches }))
      await chrome.scripting.executeScript({ target: { tabId: id }, files: ["site.js"] }).catch(() => {});
  });
  // The browser lists the error with the extension; the next change registers again.
  const current = registering;
  registering = registering.catch(() => {});
  return current;
}

chrome.runtime.onInstalled.addListener(register);
chrome.runtime.onStartup.addListener(register);
chrome.permissions.onAdded.addListener(register);
chrome.permissions.onRemoved.addListener(register);
chrome.storage.local.onChanged.addListener(register);
