import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { blocksOf, codeSpansOf } from "./markdown.ts";

/*
 * Names that the code in Markdown files uses: tasks with their variables and flags, paths, variables of job files,
 * settings and environment variables. A guide that names one that is not there cannot be followed.
 */

export type Reference = { line: number; text: string };

/** Code of a file: fenced blocks by lines, and spans. Lines that continue with a backslash are one. */
export function codeOf(markdown: string): Reference[] {
  const blocks = blocksOf(markdown)
    .filter(({ language }) => ["sh", "bash", ""].includes(language))
    .flatMap(({ line, text }) =>
      text
        .replaceAll(/\\\n\s*/g, " ")
        .split("\n")
        .map((one, index) => ({ line: line + index, text: one })),
    );
  return [...blocks, ...codeSpansOf(markdown)].map(({ line, text }) => ({ line, text: text.replace(/(^|\s)#.*/, "") }));
}

export type TaskCall = { task: string; variables: string[]; flags: string[] };

/** The tasks that a line calls: `task scale:api N=3 -- --dry-run`. */
export function taskCallsOf(text: string): TaskCall[] {
  return [...text.matchAll(/(?:^|[\s;(])(?:\.\/scripts\/)?task ([a-z][a-z:-]*[a-z])(?![\w*:])([^|;&()]*)/g)].map(
    ([, task, rest]) => ({
      task: task!,
      variables: [...rest!.matchAll(/(?:^|\s)([A-Z]+)=/g)].map(([, name]) => name!),
      flags: [...rest!.matchAll(/(?:^|\s)(--[a-z][a-z-]*)/g)].map(([, flag]) => flag!),
    }),
  );
}

/** Variables given to `nomad job run`: `-var=job=schema`. */
export const jobVariablesOf = (text: string): string[] => [...text.matchAll(/-var=(\w+)=/g)].map(([, name]) => name!);

/** Names of settings and environment variables: capitals with an underscore. */
export const settingsOf = (text: string): string[] =>
  [...text.matchAll(/(?<![\w$<{-])[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9](?![\w>*<-])/g)].map(([name]) => name);

const folders = "scripts|nomad|consul|lib|services|tasks|agent|policies|volumes|env|platform|data|edge|dev|monitoring";
const paths = new RegExp(`(?<![\\w./@:~-])(?:\\./)?((?:${folders})/[\\w./-]*\\w)(?![\\w./$<*{[-])`, "g");

/** Paths of files and folders of the checkout, as they are written. */
export const pathsOf = (text: string): string[] =>
  [...text.matchAll(paths)]
    .map(([, path]) => path!)
    // `nomad/jobs/…` are Nomad Variables, `dev/null` is no file of ours.
    .filter((path) => !/^nomad\/jobs|^dev\/null/.test(path));

/** True if the path exists from the checkout's root, the file's folder, or that of a job's files. */
export const pathExists = (root: string, file: string, path: string): boolean =>
  [root, dirname(join(root, file)), join(root, "nomad")].some((base) => existsSync(join(base, path)));
