import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../../stack/program.ts";
import { releasesFolder } from "../../../stack/release/ensure.ts";
import { partOfJob, programsOf, releaseVariable } from "../../../stack/release/parts.ts";
import { makeTarball, releaseAddress } from "../../../stack/release/tarball.ts";
import { readJobVariables } from "../../../stack/variables.ts";

/** The fault of a release. */
export type Fault = "dies at once" | "never ready" | "opens no session" | "cannot be fetched";

/** Alive, so that nothing restarts it; never ready, and no session of its opens. */
const neverReady = `
Bun.serve({
  hostname: process.env.HOST,
  port: process.env.OPS_PORT,
  fetch: ({ url }) => new Response("", { status: new URL(url).pathname === "/health" ? 200 : 503 }),
});
`;

/** The program of a bad release, from that of a good one. */
const programOf: Readonly<Record<Exclude<Fault, "cannot be fetched">, (program: string) => string>> = {
  "dies at once": () => "process.exit(1);\n",
  "never ready": () => neverReady,
  // Nothing listens on port 9. The first line is Bun's mark of a bundle.
  "opens no session": (program) =>
    program.replace("\n", '\nprocess.env.WA_WEBSOCKET_URL = "ws://127.0.0.1:9/ws/chat";\n'),
};

/** The release that a job of a stack runs, with a fault. Returns the file for `task deploy -- --release`. */
export async function makeBadRelease(state: string, job: string, fault: Fault): Promise<string> {
  const part = partOfJob(job)!;
  const name = `NOMAD_VAR_${releaseVariable(part)}`;
  const running = (await readJobVariables(state))[name]!;
  const list = join(state, "bad-release.env");
  if (fault === "cannot be fetched") {
    await Bun.write(list, `${name}='${running.replace(/sha256:\w+/, `sha256:${"0".repeat(64)}`)}'\n`);
    return list;
  }
  const folder = await mkdtemp(join(tmpdir(), "prosaas-bad-release-"));
  try {
    const url = new URL(running);
    const tarball = join(releasesFolder(state), url.pathname);
    const { code, stderr } = await runProgram(["tar", "-xzf", tarball], { cwd: folder });
    if (code !== 0) throw new Error(`${tarball} cannot be unpacked: ${stderr.trim()}`);
    const program = join(folder, programsOf(part)[0]!.replace(/\.ts$/, ".js"));
    await Bun.write(program, programOf[fault](await Bun.file(program).text()));
    const made = await makeTarball(folder, releasesFolder(state), part);
    await Bun.write(list, `${name}='${releaseAddress(url.origin, made)}'\n`);
    return list;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
