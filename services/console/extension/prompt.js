"use strict";

/*
 * Runs on WhatsApp Web's origin, the only one where the passkey works. In the window that the extension opened it
 * replaces WhatsApp's page by a prompt; everywhere else it does nothing.
 */
(() => {
  if (location.hash !== "#prosaas-passkey") return;
  // WhatsApp Web's own scripts must not start: they could ask for the passkey at the same time.
  window.stop();

  const element = (tag, text, properties = {}) =>
    Object.assign(document.createElement(tag), { textContent: text }, properties);
  const send = (message) => chrome.runtime.sendMessage(message);

  function show(...children) {
    const root = document.createElement("html");
    root.className = "prosaas-passkey";
    const body = document.createElement("body");
    body.append(...children);
    root.append(document.createElement("head"), body);
    if (document.documentElement) document.documentElement.replaceWith(root);
    else document.append(root);
    document.title = "Link your WhatsApp account";
  }

  function ask({ origin, options }) {
    const fault = element("p", "", { className: "fault", role: "alert" });
    const approve = element("button", "Approve with my passkey", { id: "approve", className: "primary" });
    const cancel = element("button", "Cancel", { id: "cancel" });
    approve.addEventListener("click", async ({ isTrusted }) => {
      // A script that clicks is not the owner.
      if (!isTrusted) return;
      approve.disabled = true;
      fault.textContent = "";
      try {
        const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
        const credential = await navigator.credentials.get({ publicKey });
        // Without the results of extensions: a site could ask for secrets that the passkey protects, such as `prf`.
        const { id, rawId, type, response } = credential.toJSON();
        await send({ ask: "answer", assertion: { id, rawId, type, response } });
      } catch (error) {
        fault.textContent = words(error);
        approve.disabled = false;
      }
    });
    cancel.addEventListener("click", () => send({ ask: "answer", error: "The request was cancelled." }));
    show(
      element("h1", "Link your WhatsApp account?"),
      element("p", "This site asks for your WhatsApp passkey:"),
      element("p", origin, { id: "origin", className: "origin" }),
      element(
        "p",
        "It will be linked to your account as a device, and can read and send your messages. Approve only if you " +
          "have just scanned its code or entered its code with your own phone.",
      ),
      fault,
      element("div", "", { className: "buttons" }),
    );
    document.querySelector(".buttons").append(cancel, approve);
  }

  function words({ name, message }) {
    if (name === "NotAllowedError")
      return "The passkey was not used: you cancelled, the time was over, or this device has no passkey of WhatsApp.";
    return `The passkey cannot be used: ${message}`;
  }

  show(element("p", "One moment…"));
  send({ ask: "request" }).then(
    // Another page opened this address: WhatsApp Web itself goes on.
    (request) => (request?.options ? ask(request) : location.replace("/")),
    () => location.replace("/"),
  );
})();
