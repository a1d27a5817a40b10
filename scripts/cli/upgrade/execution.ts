/** The longest that a command may take, 1 h: the integration files take 10 min on two free cores. */
const deadlineMs = 3_600_000;

/** The time that an ended command has to stop its servers before its whole process group is killed. */
const graceMs = 30_000;

/** The end of an output that is kept, in characters. */
const keptOutput = 262_144;

export type Execution = { code: number; stdout: string; stderr: string; ms: number };

export type ExecuteOptions = { cwd: string; signal: AbortSignal; deadline?: number; grace?: number };

/**
 * Runs a command in a process group of its own, so that Ctrl-C reaches it only through `signal`. An abort or the
 * deadline ends it with SIGTERM, and after a grace period its group with SIGKILL.
 */
export async function execute(
  command: readonly string[],
  { cwd, signal, deadline = deadlineMs, grace = graceMs }: ExecuteOptions,
): Promise<Execution> {
  signal.throwIfAborted();
  const start = performance.now();
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe", detached: true });
  let timer: Timer | undefined;
  let stopped = false;
  const stop = () => {
    stopped = true;
    child.kill("SIGTERM");
    timer = setTimeout(() => killGroup(child.pid), grace);
  };
  const end = AbortSignal.any([signal, AbortSignal.timeout(deadline)]);
  end.addEventListener("abort", stop, { once: true });
  try {
    // A process that the command left behind would hold the pipes open.
    void child.exited.then(() => stopped && killGroup(child.pid));
    const [code, stdout, stderr] = await Promise.all([child.exited, endOf(child.stdout), endOf(child.stderr)]);
    return { code, stdout, stderr, ms: performance.now() - start };
  } finally {
    end.removeEventListener("abort", stop);
    clearTimeout(timer);
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function endOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) text = (text + decoder.decode(chunk, { stream: true })).slice(-keptOutput);
  return text;
}
