import { join } from "node:path";

/** Runs samples of the API's reference in one language. */
export type SampleRunner = AsyncDisposable & {
  /** Runs a sample with only `env`; resolves with what it printed, and with the exception that ended it. */
  run(sample: string, env: Record<string, string>): Promise<string>;
};

/** Waits longer than any sample takes, also on a busy machine. */
const deadlineMs = 60_000;

/** Runs each sample in a shell of its own, in `folder`. */
function shellRunner(folder: string): SampleRunner {
  const prelude = `curl() { command curl -s -m ${deadlineMs / 1_000} -w '\\n%{http_code}' "$@"; }; source /dev/stdin`;
  return {
    run: async (sample, env) => {
      const child = Bun.spawn(["bash", "-c", prelude], {
        cwd: folder,
        env: { PATH: process.env["PATH"]!, ...env },
        stdin: new Blob([sample]),
        stdout: "pipe",
        stderr: "pipe",
      });
      return (await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])).join("");
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** A program that reads {"sample", "env"} lines and writes what each sample printed as a JSON string. */
const programs = {
  JavaScript: {
    command: (file: string) => [process.execPath, "run", file],
    file: "runner.mjs",
    text: `
import { writeFile } from "node:fs/promises";
const answer = (text) => process.stderr.write(JSON.stringify(text) + "\\n");
let count = 0;
for await (const line of console) {
  const { sample, env } = JSON.parse(line);
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  let printed = "";
  console.log = (...values) => (printed += values.map((value) => Bun.inspect(value)).join(" ") + "\\n");
  process.stdout.write = (chunk) => (printed += String(chunk));
  const file = \`\${process.cwd()}/sample-\${count++}.mjs\`;
  await writeFile(file, sample);
  try {
    await import(file);
  } catch (error) {
    printed += error;
  }
  answer(printed);
}`,
  },
  Python: {
    command: (file: string) => ["python3", file],
    file: "runner.py",
    text: `
import contextlib, io, json, os, sys
for line in sys.stdin:
    task = json.loads(line)
    os.environ.clear()
    os.environ.update(task["env"])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(task["sample"], "sample", "exec"), {"__name__": "__main__"})
        except Exception as error:
            print(error)
    print(json.dumps(printed.getvalue()), file=sys.stderr, flush=True)
`,
  },
} as const;

/** Runs all samples of a language in one process: an interpreter takes longer to start than a sample to run. */
async function interpreterRunner(folder: string, language: keyof typeof programs): Promise<SampleRunner> {
  const { command, file, text } = programs[language];
  await Bun.write(join(folder, file), text);
  const child = Bun.spawn(command(join(folder, file)), {
    cwd: folder,
    env: { PATH: process.env["PATH"]! },
    stdin: "pipe",
    stdout: "inherit",
    stderr: "pipe",
  });
  const lines = readLines(child.stderr);
  return {
    run: async (sample, env) => {
      await child.stdin.write(`${JSON.stringify({ sample, env })}\n`);
      await child.stdin.flush();
      const late = Bun.sleep(deadlineMs).then(() => Promise.reject(new Error(`no answer to the sample: ${sample}`)));
      const { value, done } = await Promise.race([lines.next(), late]);
      if (done) throw new Error(`the ${language} interpreter ended at the sample: ${sample}`);
      return JSON.parse(value) as string;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await child.exited;
    },
  };
}

async function* readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string, void> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (text + chunk).split("\n");
    text = lines.pop()!;
    yield* lines;
  }
}

/** Starts a runner for a language of the reference. `folder` holds the files that samples upload. */
export const startSampleRunner = async (language: string, folder: string): Promise<SampleRunner> =>
  language === "curl" ? shellRunner(folder) : interpreterRunner(folder, language as keyof typeof programs);
