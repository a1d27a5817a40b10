import { readCluster } from "../cluster/cluster.ts";
import { loginOf } from "./machine.ts";

// ssh.ts CLUSTER [-o OPTION…] root@ADDRESS COMMAND — stands in for ssh to a bare node of the lab.

const [name, ...rest] = process.argv.slice(2);
const target = rest.findIndex((one) => one.startsWith("root@"));
const address = rest[target]?.slice("root@".length);
const cluster = await readCluster(name!);
const node = cluster.layout.nodes.find((one) => one.address === address);
if (node === undefined) {
  console.error(`ssh: connect to host ${address}: no such node`);
  process.exit(255);
}
const command = rest.slice(target + 1).join(" ");
const child = Bun.spawn([...(await loginOf(cluster, node)), "bash", "-c", command], {
  cwd: "/",
  stdio: ["inherit", "inherit", "inherit"],
});
process.exit(await child.exited);
