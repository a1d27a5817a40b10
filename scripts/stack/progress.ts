/** Lines of progress on stderr: rewritten in place on a terminal, sparse otherwise. */
export type Progress = {
  /** What is waited for now. */
  waiting(text: string): void;
  /** A line that stays. */
  done(text: string): void;
};

/** How often a log that is no terminal hears that something still waits. */
const QUIET_MS = 10_000;

export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  let told = performance.now();
  const clear = () => {
    if (stream.isTTY) stream.write("\r\u001b[K");
  };
  return {
    waiting(text) {
      if (stream.isTTY) {
        clear();
        stream.write(`  ${text}`.slice(0, (stream.columns || 100) - 1));
      } else if (performance.now() - told >= QUIET_MS) {
        told = performance.now();
        stream.write(`  … ${text}\n`);
      }
    },
    done(text) {
      clear();
      stream.write(`  ${text}\n`);
    },
  };
}

export const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
