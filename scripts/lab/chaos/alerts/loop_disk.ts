import { mkdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { host } from "../../cluster/host.ts";

/** A disk of its own, as monitoring sees one: a file system on a block device, which takes root. */
export type LoopDisk = {
  /** As Nomad names it. */
  device: string;
  /** Fills it beyond DiskFilling. */
  fill(): Promise<void>;
  free(): Promise<void>;
  remove(): Promise<void>;
};

const megabytes = 32;
/** Of the free space. */
const filledShare = 0.95;

/** Mounts a file of `folder` as a disk. */
export async function mountLoopDisk(folder: string): Promise<LoopDisk> {
  const [image, path] = [join(folder, "disk.img"), join(folder, "disk")];
  await mkdir(path);
  await host("truncate", "--size", `${megabytes}M`, image);
  await host("mkfs.ext4", "-q", image);
  await host("mount", "-o", "loop", image, path);
  const filler = join(path, "filler");
  const device = (await host("findmnt", "--noheadings", "--output", "SOURCE", path)).trim();
  const unmount = () => void Bun.spawnSync(["umount", "-l", path]);
  process.once("exit", unmount);
  return {
    device,
    fill: async () => {
      const { bavail, bsize } = await statfs(path);
      await host("fallocate", "--length", String(Math.floor(bavail * bsize * filledShare)), filler);
    },
    free: () => rm(filler),
    remove: async () => {
      process.off("exit", unmount);
      await host("umount", path);
    },
  };
}
