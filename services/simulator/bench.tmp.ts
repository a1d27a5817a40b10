import { connect, opened, trust } from "./client.fixture.ts";
import { control, freshPhone, paired } from "./control.fixture.ts";
import { readFileSync, mkdtempSync } from "node:fs";
const S = Number(process.argv[2] ?? 20), N = Number(process.argv[3] ?? 100), C = Number(process.argv[4] ?? 5);
const child = Bun.spawn([process.execPath, "--cpu-prof-md","--cpu-prof-dir=/tmp/prof", "run", import.meta.dir + "/main.ts"], { env: { PATH: process.env.PATH, SIMULATOR_SEED: "0123456789abcdef", SIMULATOR_DATA: mkdtempSync("/tmp/simb-"), NOMAD_ALLOC_ID: "x", LOG_LEVEL: "warn", PORT: "17999" }, stdout: "inherit", stderr: "inherit" });
await Bun.sleep(700);
const sim = { url: "http://127.0.0.1:17999", wsUrl: "ws://127.0.0.1:17999/ws/chat" };
const api = control(sim.url);
const { body } = await api.get<{ root: string }>("/root"); trust(body.root);
const cpu = (pid: number) => { const f = readFileSync(`/proc/${pid}/stat`, "utf8").split(" "); return (Number(f[13]) + Number(f[14])) * 10; };
const rss = () => readFileSync(`/proc/${child.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)![1];
const socks = [];
let c0 = cpu(child.pid), t0 = performance.now();
for (let i = 0; i < S; i++) { const { auth } = await paired(sim); const s = connect(sim.wsUrl, auth, { shouldSyncHistoryMessage: () => false }); await opened(s); socks.push(s); }
console.log("paired+open", S, "ms", (performance.now() - t0).toFixed(0), "sim cpu ms", cpu(child.pid) - c0, "rss kB", rss());
let acks = 0, reads = 0;
for (const s of socks) { s.ws.on("CB:ack,class:message", () => acks++); s.ws.on("CB:receipt,type:read", () => reads++); }
const contacts = Array.from({ length: C }, () => freshPhone());
for (const s of socks) for (const c of contacts) await s.sendMessage(c + "@s.whatsapp.net", { text: "warm" });
while (reads < S * C) await Bun.sleep(20);
acks = reads = 0; c0 = cpu(child.pid); const own0 = cpu(process.pid); t0 = performance.now();
await Promise.all(socks.map(async (s) => { for (let n = 0; n < N; n++) { await s.sendMessage(contacts[n % C] + "@s.whatsapp.net", { text: "message number " + n }); await new Promise((r) => setImmediate(r)); } }));
const t1 = performance.now();
const end = performance.now() + 20000;
while ((reads < S * N || acks < S * N) && performance.now() < end) await Bun.sleep(10);
const total = S * N;
console.log({ total, acks, reads, ms: t1 - t0, per_min: (total / (performance.now() - t0)) * 60000, sim_cpu_ms_per_msg: (cpu(child.pid) - c0) / total, client_cpu_ms: (cpu(process.pid) - own0) / total, rss: rss() });
// inbound
let got = 0; for (const s of socks) s.ev.on("messages.upsert", (u) => { for (const m of u.messages) if (m.message?.conversation?.startsWith("in")) got++; });
c0 = cpu(child.pid); t0 = performance.now();
const phones = socks.map((s) => s.user!.id.split(":")[0]!);
await Promise.all(phones.map(async (p) => { for (let n = 0; n < N; n++) await api.post(`/phones/${contacts[n % C]}/messages`, { to: p, text: "in " + n }); }));
while (got < total && performance.now() < t0 + 30000) await Bun.sleep(10);
console.log({ inbound: got, ms: performance.now() - t0, sim_cpu_ms_per_msg: (cpu(child.pid) - c0) / total });
console.log(JSON.stringify((await api.get("/stats")).body));
child.kill(); await child.exited; process.exit(0);
