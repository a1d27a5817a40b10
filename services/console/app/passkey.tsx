import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { api } from "./api.ts";
import type { Schemas } from "./api.ts";
import { useAction } from "./hooks.ts";
import { Fault, When } from "./parts.tsx";
import { extensionVersion, requestAssertion } from "./passkey_extension.ts";

type Link = Schemas["PasskeyLink"];
type Props = { businessId: string; passkey: Link; reload: () => void; logOut: () => void };

/** A link that requires the passkey of the account's owner: what it is for, and the step that is due. */
export function Passkey({ businessId, passkey, reload, logOut }: Props) {
  return (
    <section class="passkey" aria-label="Passkey">
      <h2>WhatsApp asks for the account's passkey</h2>
      <p>
        The phone has accepted the code. WhatsApp also wants the passkey of the account, and accepts it only from the
        account's owner, on WhatsApp's own site. A small browser extension asks for it there.
      </p>
      {passkey.reason !== null && <Fault of={passkey.reason} />}
      <ol>
        <ApprovalStep businessId={businessId} passkey={passkey} reload={reload} />
        <Step title="Wait for the phone" due={passkey.step === "phone"}>
          WhatsApp checks the passkey and reaches the phone. Keep it unlocked and online.
        </Step>
        <ConfirmationStep businessId={businessId} passkey={passkey} reload={reload} logOut={logOut} />
        <Step title="Link" due={passkey.step === "linking"}>
          The phone links this device. The session opens by itself.
        </Step>
      </ol>
      <p class="quiet">
        {passkey.step === "assertion" ? "WhatsApp's request is renewed at" : "This step ends at"}{" "}
        <When at={passkey.expires_at} />.
      </p>
    </section>
  );
}

function Step({ title, due, children }: { title: string; due: boolean; children: ComponentChildren }) {
  return (
    <li aria-current={due ? "step" : undefined}>
      <strong>{title}</strong>
      {due && <div>{children}</div>}
    </li>
  );
}

type StepProps = { businessId: string; passkey: Link; reload: () => void };

function ApprovalStep({ businessId, passkey: { step, options, expires_at }, reload }: StepProps) {
  const due = step === "assertion";
  const version = useExtension(due);
  const { busy, fault, run } = useAction();
  const approve = () =>
    run(async () => {
      if (options === undefined)
        throw new Error("This key may not see the request: it needs the scope whatsapp:write.");
      const body = await requestAssertion(options, Math.max(1_000, Date.parse(expires_at) - Date.now()));
      await api.POST("/v1/businesses/{business_id}/whatsapp/passkey/assertion", {
        params: { path: { business_id: businessId } },
        body,
      });
      reload();
    });
  return (
    <Step title="Approve with the passkey" due={due}>
      {version === undefined ? (
        <ExtensionGuide />
      ) : (
        <p>
          The extension is ready. It opens a window of web.whatsapp.com; approve there with the fingerprint, face or PIN
          of the account's owner, on this device or on the phone.
        </p>
      )}
      <button class="primary" disabled={busy || version === undefined} onClick={approve}>
        {busy ? "Waiting for the approval…" : "Approve with the passkey"}
      </button>
      <Fault of={fault} />
    </Step>
  );
}

function ExtensionGuide() {
  return (
    <>
      <p>The extension is not installed in this browser, or not allowed on this site.</p>
      <ol>
        <li>
          <a href="/passkey-extension.zip" download>
            Download the extension
          </a>{" "}
          and unpack it.
        </li>
        <li>
          In Chrome, Edge or Brave open <code>chrome://extensions</code>, turn on “Developer mode”, choose “Load
          unpacked” and select the folder.
        </li>
        <li>On this page, press the extension's button and allow this site. This page notices by itself.</li>
      </ol>
    </>
  );
}

function ConfirmationStep({ businessId, passkey: { step, code }, reload, logOut }: StepProps & Pick<Props, "logOut">) {
  const { busy, fault, run } = useAction();
  const confirm = () =>
    run(async () => {
      if (code === undefined) throw new Error("This key may not see the code: it needs the scope whatsapp:write.");
      await api.POST("/v1/businesses/{business_id}/whatsapp/passkey/confirm", {
        params: { path: { business_id: businessId } },
        body: { code },
      });
      reload();
    });
  return (
    <Step title="Compare the code, if one is shown" due={step === "confirmation"}>
      <p>
        The phone shows a code. Is it <code class="pairing">{code}</code>?
      </p>
      <div class="row">
        <button class="primary" disabled={busy} onClick={confirm}>
          The codes are the same
        </button>
        <button class="danger" disabled={busy} onClick={logOut}>
          They differ: stop
        </button>
      </div>
      <Fault of={fault} />
    </Step>
  );
}

/** The version of the extension, looked for every two seconds while `isWanted`. */
function useExtension(isWanted: boolean): string | undefined {
  const [version, setVersion] = useState<string>();
  useEffect(() => {
    if (!isWanted) return undefined;
    const look = () => void extensionVersion().then(setVersion);
    look();
    const timer = setInterval(look, 2_000);
    return () => clearInterval(timer);
  }, [isWanted]);
  return version;
}
