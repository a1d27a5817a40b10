import type { Job } from "../nomad.ts";

/** The address of the release that a job runs; undefined for a job that runs none of ours. */
export function releaseOf({ TaskGroups }: Job): string | undefined {
  const tasks = TaskGroups.flatMap(({ Tasks }) => Tasks ?? []);
  return tasks.flatMap(({ Artifacts }) => Artifacts ?? [])[0]?.GetterSource;
}

/** The short name of a release: the start of its tarball's SHA-256, or the file's name where it has none. */
export function releaseName(address: string): string {
  const [path = ""] = address.split("?");
  const file = path.slice(path.lastIndexOf("/") + 1);
  return /^prosaas-.+-([0-9a-f]+)\.tar\.gz$/.exec(file)?.[1] ?? file;
}
