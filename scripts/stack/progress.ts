/** Lines of progress on stderr: one line that is rewritten on a terminal, sparse otherwise. */
export type Progress = {
  /** Shows the current wait. */
  waiting(text: string): void;
  /** A line that stays. */
  done(text: string): void;
};

/** The time between two lines in a log that is no terminal. */
const QUIET_MS = 10_000;

export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  let shownAt = performance.now();
  const clear = () => {
    if (stream.isTTY) stream.write("\r\u001b[K");
  };
  return {
    waiting(text) {
      if (stream.isTTY) {
        clear();
        stream.write(`  ${text}`.slice(0, (stream.columns || 100) - 1));
      } else if (performance.now() - shownAt >= QUIET_MS) {
        shownAt = performance.now();
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
