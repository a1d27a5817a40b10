import { describe, expect, test } from "bun:test";
import { jobNames, parseJobFile } from "../../stack/job_file.ts";
import { parts, releaseVariable } from "../../stack/release/parts.ts";
import { parseFirewall, readFirewall, unexpectedListeners } from "./firewall.ts";
import { parseListeners } from "./listeners.ts";

const table = `
| port | protocol | program | on | from |
| ---- | -------- | ------- | -- | ---- |
| 80, 443 | tcp | nginx | edges | anyone |
| 8301 | tcp, udp | Consul | servers, clients | nodes |
| 20000–32000 | tcp | services | clients | nodes |

Text.`;

describe("the table of ports", () => {
  test("is parsed with lists and ranges", () => {
    expect(parseFirewall(table)).toEqual([
      { first: 80, last: 80, protocols: ["tcp"], program: "nginx", on: ["edges"] },
      { first: 443, last: 443, protocols: ["tcp"], program: "nginx", on: ["edges"] },
      { first: 8301, last: 8301, protocols: ["tcp", "udp"], program: "Consul", on: ["servers", "clients"] },
      { first: 20_000, last: 32_000, protocols: ["tcp"], program: "services", on: ["clients"] },
    ]);
  });

  test("judges a port by protocol and kind of node", () => {
    const listeners = parseListeners(`
      tcp LISTEN 0 4096 198.18.0.11:8301 0.0.0.0:*
      udp UNCONN 0 0    198.18.0.11:8301 0.0.0.0:*
      tcp LISTEN 0 511  0.0.0.0:443      0.0.0.0:*
      udp UNCONN 0 0    *:20001          *:*
      tcp LISTEN 0 4096 127.0.0.1:8500   0.0.0.0:*
      tcp LISTEN 0 4096 [::1]:8500       [::]:*`);
    expect(listeners).toHaveLength(4);
    const firewall = parseFirewall(table);
    expect(unexpectedListeners(firewall, ["clients", "edges"], listeners)).toEqual(["20001/udp"]);
    expect(unexpectedListeners(firewall, ["servers"], listeners)).toEqual(["443/tcp", "20001/udp"]);
  });

  type Port = { Label: string; Value: number; HostNetwork: string };
  type Groups = { TaskGroups: { Networks?: { ReservedPorts?: Port[] | null }[] | null }[] };

  test("has the fixed ports of every job", async () => {
    const release = Object.fromEntries(
      parts.map((part) => [`NOMAD_VAR_${releaseVariable(part)}`, "https://example.com/x.tar.gz?checksum=sha256:00"]),
    );
    const jobs = await Promise.all(
      jobNames.map(async (name) => ({ name, job: (await parseJobFile(name, release)) as unknown as Groups })),
    );
    const firewall = await readFirewall();
    const development = new Set(["simulator", "call-agent"]);
    const missing = jobs
      .filter(({ name }) => !development.has(name))
      .flatMap(({ name, job }) =>
        job.TaskGroups.flatMap(({ Networks }) => Networks ?? [])
          .flatMap(({ ReservedPorts }) => ReservedPorts ?? [])
          .filter(({ HostNetwork }) => HostNetwork !== "loopback")
          .filter(({ Value }) => !firewall.some(({ first, last }) => Value >= first && Value <= last))
          .map(({ Label, Value }) => `${name} ${Label}: ${Value}`),
      );
    expect(missing).toEqual([]);
  });
});
