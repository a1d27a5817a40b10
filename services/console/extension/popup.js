"use strict";

/* The list of sites that may ask. The user opens it with the extension's button. */

const byId = (id) => document.querySelector(`#${id}`);
const patternOf = (origin) => `${origin}/*`;
const read = async () => (await chrome.storage.local.get("allowed")).allowed ?? [];
const write = (allowed) => chrome.storage.local.set({ allowed });

/** The origin of a page that may be allowed; undefined for others, such as the browser's own. */
function originOf(url) {
  if (!URL.canParse(url ?? "")) return undefined;
  const { origin, protocol, hostname } = new URL(url);
  const isLocal = protocol === "http:" && ["localhost", "127.0.0.1"].includes(hostname);
  return protocol === "https:" || isLocal ? origin : undefined;
}

async function allow(origin) {
  // First the list: the browser's question closes this window, and nothing after it would run.
  const before = await read();
  await write([...before.filter((other) => other !== origin), origin]);
  const granted = await chrome.permissions.request({ origins: [patternOf(origin)] });
  if (!granted) await write(before);
  await render();
}

async function remove(origin) {
  await write((await read()).filter((other) => other !== origin));
  await chrome.permissions.remove({ origins: [patternOf(origin)] }).catch(() => {});
  await render();
}

async function render() {
  const [tab] = await chrome.tabs.query({ active: true, currentWindow: true });
  const origin = originOf(tab?.url);
  const allowed = [];
  for (const each of await read())
    if (await chrome.permissions.contains({ origins: [patternOf(each)] })) allowed.push(each);
  byId("current").hidden = origin === undefined || allowed.includes(origin);
  byId("site").textContent = origin ?? "";
  byId("allowed").replaceChildren(
    ...allowed.map((each) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.textContent = "Remove";
      button.addEventListener("click", () => void remove(each));
      item.append(each, button);
      return item;
    }),
  );
}

byId("allow").addEventListener("click", () => void allow(byId("site").textContent));
void render();
