import { join } from "node:path";
import { mkdir } from "node:fs/promises";
import { writeStateFile } from "../../stack/state_file.ts";
import { folderOf, outside, pidOf, startOutside } from "./node.ts";
import type { Cluster } from "./node.ts";

const port = 17_090;

/** Serves the cluster's releases to its clients, from the machine's own address on the bridge. Returns the address. */
export async function serveReleases(cluster: Cluster): Promise<string> {
  const { layout, state } = cluster;
  const url = `http://${layout.host}:${port}`;
  if ((await pidOf(cluster, outside, "nginx")) !== null) return url;
  const folder = folderOf(cluster, outside);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await mkdir(join(state, "releases"), { recursive: true });
  const file = join(folder, "releases.conf");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${join(folder, name)};`)
    .join("\n");
  await writeStateFile(
    file,
    `daemon off;
master_process off; # one process, root's: the state folder is closed to other users
pid ${join(folder, "nginx.pid-file")};
events { worker_connections 256; }
http {
  access_log off;
${temporary}
  server {
    listen ${layout.host}:${port};
    root ${join(state, "releases")};
  }
}
`,
  );
  await startOutside(cluster, { name: "nginx", program: "nginx" }, ["nginx", "-e", "stderr", "-c", file]);
  return url;
}
