import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../lib/testing/free_port.ts";
import { until } from "../../../lib/testing/until.ts";
import { connect, ending, opened, trust } from "../testing/client.ts";
import { control, freshPhone, paired } from "../testing/control.ts";
import { programCommand, programEnv } from "../../../lib/testing/program.ts";

const seed = "a seed for the restart test";
const token = "a token for the restart test";
const folder = mkdtempSync(join(tmpdir(), "simulator-"));
const running: Bun.Subprocess[] = [];

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the service in a process of its own. */
async function start(port: number) {
  const child = Bun.spawn(programCommand("services/simulator/main.ts"), {
    env: {
      ...programEnv(),
      PORT: String(port),
      SIMULATOR_SEED: seed,
      SIMULATOR_DATA: folder,
      SIMULATOR_TOKEN: token,
      TWILIO_AUTH_TOKEN: "a token of the carrier's account",
      NOMAD_ALLOC_ID: "supervised",
    },
    stdout: "pipe",
    stderr: "inherit",
  });
  running.push(child);
  const decoder = new TextDecoder();
  let output = "";
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk);
    const line = output.split("\n").find((each) => each.includes('"listening"'));
    if (!line) continue;
    const {
      port: listening,
      ws_url: wsUrl,
      noise_root: rootBase64,
    } = JSON.parse(line) as { port: number; ws_url: string; noise_root: string };
    return { child, port: listening, wsUrl, rootBase64, token, url: `http://127.0.0.1:${listening}` };
  }
  throw new Error("the simulator did not start");
}

test("keeps root, phones, messages and mail after SIGKILL", async () => {
  const first = await start(await freePort());
  trust(first.rootBase64);
  const { phone, auth } = await paired(first);
  const [contact, later] = [freshPhone(), freshPhone()];
  const sock = connect(first.wsUrl, auth);
  await opened(sock);
  await until(() => auth.creds.accountSyncCounter > 0, { what: "the history" });
  const acked = Promise.withResolvers<void>();
  sock.ws.on("CB:ack,class:message", () => acked.resolve());
  await sock.sendMessage(`${contact}@s.whatsapp.net`, { text: "before" });
  await acked.promise;
  await sock.end(undefined);
  await until(
    async () =>
      (await control(first.url, token).get<{ devices: { online: boolean }[] }>(`/phones/${phone}`)).body.devices[0]
        ?.online === false,
    { what: "the client to be offline" },
  );
  // Acknowledged over HTTP while the client is offline.
  await control(first.url, token).post(`/phones/${later}/messages`, { to: phone, text: "while you were out" });
  first.child.kill("SIGKILL");
  await first.child.exited;

  const second = await start(first.port);
  expect(second.rootBase64).toBe(first.rootBase64);
  const api = control(second.url, token);
  expect(await api.texts(contact)).toEqual(["before"]);
  const again = connect(second.wsUrl, auth);
  const received: string[] = [];
  again.ev.on("messages.upsert", ({ messages }) =>
    received.push(...messages.flatMap(({ message }) => message?.conversation ?? [])),
  );
  await opened(again);
  await until(() => received.length > 0, { what: "the pending message" });
  expect(received).toEqual(["while you were out"]);
  // The Signal sessions are intact at both ends.
  await again.sendMessage(`${contact}@s.whatsapp.net`, { text: "after" });
  await until(async () => (await api.texts(contact)).length === 2, { what: "the message after the restart" });
  await api.post(`/phones/${contact}/messages`, { to: phone, text: "still there" });
  await until(() => received.length === 2, { what: "the contact's answer" });
  expect((await api.messages(contact)).undecryptable).toBe(0);
  const ended = ending(again);
  second.child.kill("SIGTERM");
  await ended;
  expect(await second.child.exited).toBe(0);
});

test("exits 2 without a token", async () => {
  const child = Bun.spawn(programCommand("services/simulator/main.ts"), {
    env: { ...programEnv(), PORT: "0", SIMULATOR_SEED: seed, NOMAD_ALLOC_ID: "supervised" },
    stdout: "ignore",
    stderr: "pipe",
  });
  running.push(child);
  expect(await child.exited).toBe(2);
  expect(await new Response(child.stderr).text()).toContain("SIMULATOR_TOKEN");
});

test("requires the token on every control route", async () => {
  const { url } = await start(0);
  const call = "/calls/CA00000000000000000000000000000000";
  for (const [method, path] of [
    ["GET", "/root"],
    ["GET", "/stats"],
    ["GET", "/phones"],
    ["POST", "/phones"],
    ["POST", "/phones/491700000001/scan"],
    ["POST", "/phones/491700000001/messages"],
    ["GET", "/phones/491700000001/messages"],
    ["POST", "/groups"],
    ["POST", "/faults"],
    ["DELETE", "/faults"],
    ["PUT", "/limits"],
    // The carrier's routes.
    ["POST", "/calls"],
    ["GET", "/calls"],
    ["GET", call],
    ["DELETE", call],
    ["POST", `${call}/digits`],
    ["DELETE", `${call}/stream`],
    ["POST", `${call}/silence`],
    ["PUT", "/numbers/+15550000001"],
    ["PUT", "/callees/+15550000001"],
    ["POST", "/calls/faults"],
    ["GET", "/calls/faults"],
    ["DELETE", "/calls/faults"],
  ] as const) {
    for (const headers of [{}, { authorization: "Bearer another token of that length" }] as Record<string, string>[]) {
      expect((await fetch(`${url}${path}`, { method, headers })).status, `${method} ${path}`).toBe(401);
    }
  }
});
