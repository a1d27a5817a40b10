import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../stack/environment.ts";
import { runProgram } from "../../stack/program.ts";
import { agentKinds, unitName, unitText } from "./unit.ts";
import type { AgentKind, AgentUnit } from "./unit.ts";

const here = import.meta.dir;
const unitOf = (kind: AgentKind, more: Partial<AgentUnit> = {}): string =>
  unitText({
    kind,
    prefix: "prosaas",
    command: ["/bin/true", `-config=/etc/prosaas/${kind}.hcl`],
    ...(kind === "nomad-client" && {
      scripts: {
        restoreMounts: [join(here, "restore-mounts.sh"), "/var/lib/prosaas/nomad"],
        weighTasks: [join(here, "weigh-tasks.sh")],
      },
    }),
    ...more,
  });
const line = (text: string, key: string) => text.split("\n").find((one) => one.startsWith(`${key}=`));

describe("unitText", () => {
  test("starts an agent at boot and after every failure", () => {
    for (const kind of agentKinds) {
      const text = unitOf(kind);
      expect(text).toContain("\nRestart=always\n");
      expect(text).toContain("\nStartLimitIntervalSec=0\n");
      expect(text).toContain("\nWantedBy=multi-user.target\n");
    }
  });

  test("stops no tasks with the Nomad client", () => {
    expect(line(unitOf("nomad-client"), "KillMode")).toBe("KillMode=process");
    expect(line(unitOf("nomad-server"), "KillMode")).toBe("KillMode=mixed");
  });

  test("restores the mounts of tasks before the client", () => {
    const text = unitOf("nomad-client");
    expect(text.indexOf("ExecStartPre=")).toBeGreaterThan(0);
    expect(text.indexOf("ExecStartPre=")).toBeLessThan(text.indexOf("ExecStart="));
    expect(unitOf("consul")).not.toContain("ExecStartPre=");
  });

  test("quotes what systemd would expand or split", () => {
    const text = unitOf("consul", { command: ["/bin/true", "a b", "50%", "$HOME", 'say "yes"', "c:\\d"] });
    expect(line(text, "ExecStart")).toBe('ExecStart=/bin/true "a b" 50%% "$$HOME" "say \\"yes\\"" "c:\\\\d"');
  });
});

describe.skipIf(Bun.which("systemd-analyze") === null)("systemd-analyze", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "prosaas-units-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const verify = async (...files: string[]) => {
    const { code, stdout, stderr } = await runProgram(["systemd-analyze", "verify", "--man=no", ...files], {
      cwd: "/",
    });
    // Only what it says of these units: those of the machine may have faults of their own.
    const said = `${stdout}${stderr}`.split("\n").filter((text) => text.includes("prosaas"));
    return { code, said };
  };

  test("finds no fault in the units of a node", async () => {
    const files = agentKinds.map((kind) => join(folder, unitName("prosaas", kind)));
    await Promise.all(agentKinds.map((kind, index) => Bun.write(files[index]!, unitOf(kind))));
    expect(await verify(...files)).toEqual({ code: 0, said: [] });
  });

  test("finds no fault in a unit that up writes", async () => {
    const state = join(folder, "a state 100%");
    const command = ["bun", "run", join(here, "stack_unit.ts"), "nomad-client", "/bin/true", `-config=${state}/x.hcl`];
    const env = { ...process.env, PROSAAS_STACK: "dev", PROSAAS_STATE_DIR: state };
    const { code, stdout } = await runProgram(command, { cwd: root, env });
    expect(code).toBe(0);
    expect(line(stdout, "ExecStart")).toBe(`ExecStart=/bin/true "-config=${state.replace("%", "%%")}/x.hcl"`);
    const file = join(folder, unitName("prosaas-dev", "nomad-client"));
    await Bun.write(file, stdout);
    expect(await verify(file)).toEqual({ code: 0, said: [] });
  });

  test("names a fault that a unit has", async () => {
    const file = join(folder, "prosaas-faulty.service");
    await Bun.write(file, unitOf("consul").replace("Restart=always", "Restart=for-ever"));
    expect((await verify(file)).said.join()).toContain("for-ever");
  });
});
