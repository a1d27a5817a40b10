import { render } from "preact";
import { useEffect } from "preact/hooks";
import { signedInAs } from "./api.ts";
import { signedOut, useLoaded } from "./hooks.ts";
import { Show } from "./parts.tsx";
import { Shell } from "./shell.tsx";
import { SignIn } from "./sign_in.tsx";
import { applyTheme } from "./theme.ts";

function Console() {
  const session = useLoaded("session", async () => ({ as: await signedInAs() }));
  const { reload } = session;
  useEffect(() => {
    signedOut.addEventListener("signedout", reload);
    return () => signedOut.removeEventListener("signedout", reload);
  }, [reload]);
  return (
    <Show of={session}>
      {({ as }) => (as === undefined ? <SignIn onSignedIn={reload} /> : <Shell keyPrefix={as} onSignOut={reload} />)}
    </Show>
  );
}

applyTheme();
render(<Console />, document.querySelector("#root")!);
