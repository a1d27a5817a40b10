import { useState } from "preact/hooks";
import { signIn } from "./api.ts";
import { useAction } from "./hooks.ts";
import { Fault } from "./parts.tsx";

export function SignIn({ onSignedIn }: { onSignedIn: () => void }) {
  const [key, setKey] = useState("");
  const { busy, fault, run } = useAction();
  return (
    <main class="sign-in">
      <h1>ProSaaS console</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run(async () => {
            await signIn(key.trim());
            setKey("");
            onSignedIn();
          });
        }}
      >
        <label for="key">Admin key</label>
        <input
          id="key"
          type="password"
          autocomplete="off"
          spellcheck={false}
          placeholder="psk_…"
          required
          value={key}
          onInput={({ currentTarget }) => setKey(currentTarget.value)}
        />
        <button class="primary" disabled={busy}>
          Sign in
        </button>
      </form>
      <Fault of={fault} />
      <p class="quiet">
        The key is exchanged for a session of 12 hours and is not stored. <a href="/docs">API reference</a>
      </p>
    </main>
  );
}
