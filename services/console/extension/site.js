"use strict";

/*
 * Runs on allowed sites. Passes messages between the page and the extension:
 *
 *   page → {to: "prosaas-passkey", id, ask: "hello"}                answer: {version}
 *   page → {to: "prosaas-passkey", id, ask: "assertion", options}   answer: {assertion} or {error}
 *
 * An answer is {from: "prosaas-passkey", id, …}. Options and assertion have the forms of WebAuthn's JSON.
 */
(() => {
  // The extension injects this file again when the user allows another site.
  if (globalThis.prosaasPasskey) return;
  globalThis.prosaasPasskey = true;

  const name = "prosaas-passkey";
  const waiting = new Set();
  const maxWaiting = 8;
  const answer = (id, content) => window.postMessage({ ...content, from: name, id }, location.origin);

  window.addEventListener("message", ({ source, origin, data }) => {
    if (source !== window || origin !== location.origin || data?.to !== name) return;
    const { id, ask, options } = data;
    if (typeof id !== "string" || id.length > 64 || waiting.size >= maxWaiting) return;
    if (ask === "assertion") waiting.add(id);
    chrome.runtime.sendMessage({ ask, id, options }).then(
      (reply) => {
        if (ask === "hello" ? reply === undefined : reply?.error === undefined) return;
        waiting.delete(id);
        answer(id, reply);
      },
      // The extension was updated or removed.
      () => waiting.delete(id) && answer(id, { error: "The extension was reloaded. Reload this page." }),
    );
  });

  chrome.runtime.onMessage.addListener(({ id, assertion, error }, sender) => {
    if (sender.id !== chrome.runtime.id || !waiting.delete(id)) return;
    answer(id, error === undefined ? { assertion } : { error });
  });
})();
