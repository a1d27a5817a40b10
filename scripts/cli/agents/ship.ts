import { createHash } from "node:crypto";
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { arch, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { recordTrust } from "../certs/certificates.ts";
import { root } from "../../stack/environment.ts";
import { runProgram } from "../../stack/program.ts";
import { nodeFiles, programsFolder, programsOf } from "./node_files.ts";
import type { AgentNode, ClusterFolder } from "./nodes.ts";

/** Shell functions that install.sh reads. */
const libraries = ["say.sh", "packages.sh", "chroot.sh"];

/** Linux's name of the processor that programs of this machine are built for. */
const machine = { x64: "x86_64", arm64: "aarch64" }[arch() as "x64" | "arm64"];

/** This machine's program, which a node gets a copy of. */
export function programPath(name: string): string {
  const path = name === "bun" ? process.execPath : Bun.which(name);
  if (path === null) throw new AppError("unavailable", `${name} is not on PATH: start this by ./scripts/task.`);
  return path;
}

const hashes = new Map<string, Promise<string>>();
async function hashOf(name: string): Promise<string> {
  const hash =
    hashes.get(name) ?? readFile(programPath(name)).then((b) => createHash("sha256").update(b).digest("hex"));
  hashes.set(name, hash);
  return hash;
}

/** Runs `ssh` for root of the node. By the program, so that the operator's ~/.ssh/config holds. */
const remote = ({ address }: AgentNode, script: string) => ["ssh", "-o", "BatchMode=yes", `root@${address}`, script];

/** The programs that a node lacks or has in another version. */
async function missingPrograms(node: AgentNode): Promise<string[]> {
  const { code, stdout, stderr } = await runProgram(
    remote(node, `uname -sm; sha256sum ${programsFolder}/* 2>/dev/null; true`),
    { cwd: "/" },
  );
  if (code !== 0)
    throw new AppError(
      "unavailable",
      `ssh root@${node.address} (${node.name}) failed: ${stderr.trim() || `exit ${code}`}`,
    );
  if (!stdout.startsWith(`Linux ${machine}`))
    throw new AppError(
      "conflict",
      `${node.name} is ${stdout.split("\n")[0]}, and the programs of this machine are for Linux ${machine}: ` +
        "run this on a machine of that kind.",
    );
  const wanted = await Promise.all(
    programsOf(node).map(async (name) => ({ name, line: `${await hashOf(name)}  ${programsFolder}/${name}` })),
  );
  return wanted.filter(({ line }) => !stdout.split("\n").includes(line)).map(({ name }) => name);
}

type Cluster = ClusterFolder & { nodes: readonly AgentNode[] };

/** Writes a node's files, these programs and install.sh to a folder. */
async function stage(cluster: Cluster, node: AgentNode, programs: readonly string[], folder: string): Promise<void> {
  for (const { path, content, mode } of await nodeFiles(cluster, cluster.nodes, node)) {
    const file = join(folder, "files", path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content, { mode: 0o600 });
    await chmod(file, Number.parseInt(mode, 8));
  }
  for (const name of programs) {
    const file = join(folder, "files", programsFolder, name);
    await mkdir(dirname(file), { recursive: true });
    await copyFile(programPath(name), file);
    await chmod(file, 0o755);
  }
  await mkdir(join(folder, "lib"));
  for (const name of libraries) await cp(join(root, "scripts/lib", name), join(folder, "lib", name));
  await cp(join(import.meta.dir, "install.sh"), join(folder, "install.sh"));
}

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-node-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const archive = (folder: string) => ["tar", "--owner=0", "--group=0", "--directory", folder, "-c", "."];

/** Installs a node over SSH; passes on what install.sh prints. @throws AppError if that fails */
export async function install(cluster: Cluster, node: AgentNode, dryRun: boolean): Promise<string[]> {
  const programs = await missingPrograms(node);
  return withFolder(async (folder) => {
    await stage(cluster, node, programs, folder);
    // Readable by root only, from the first byte on.
    const unpack = `umask 077; d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; tar -x -p -C "$d"`;
    const script = `${unpack} && bash "$d/install.sh" ${node.role}${dryRun ? " --dry-run" : ""}`;
    const tar = Bun.spawn(archive(folder), { stdout: "pipe", stderr: "inherit" });
    const ssh = Bun.spawn(remote(node, script), { stdin: tar.stdout, stdout: "pipe", stderr: "pipe" });
    const [stdout, stderr, code] = await Promise.all([
      new Response(ssh.stdout).text(),
      new Response(ssh.stderr).text(),
      ssh.exited,
    ]);
    if (code !== 0)
      throw new AppError("unavailable", `${node.name} could not be installed:\n${`${stdout}${stderr}`.trim()}`);
    if (!dryRun) await recordTrust(cluster, node);
    return `${stdout}${stderr}`.split("\n").filter((line) => line.trim() !== "");
  });
}

/** Writes what a node gets as one tarball, for nodes that this machine has no SSH to. Returns its path. */
export async function pack(cluster: Cluster, node: AgentNode, to: string): Promise<string> {
  const file = join(to, `${node.name}.tar`);
  await mkdir(to, { recursive: true, mode: 0o700 });
  await withFolder(async (folder) => {
    await stage(cluster, node, programsOf(node), folder);
    await rm(file, { force: true });
    await writeFile(file, "", { mode: 0o600 });
    const { code, stderr } = await runProgram([...archive(folder), "-f", file], { cwd: "/" });
    if (code !== 0) throw new Error(`tar failed: ${stderr.trim()}`);
    await recordTrust(cluster, node);
  });
  return file;
}
