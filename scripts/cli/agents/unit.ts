/*
 * systemd units of the agents. A unit starts its agent at boot and after a crash, however often. Tasks outlive the
 * Nomad client that started them: only its own process is stopped with it.
 */

export const agentKinds = ["consul", "nomad-server", "releases", "nomad-client"] as const;
export type AgentKind = (typeof agentKinds)[number];

type Kind = {
  description: string;
  /** Nomad reports when it is ready. Consul does so only once it has joined another agent, which a first one cannot. */
  type: "exec" | "notify";
  /** Agents on the same machine that start first. None needs another to start: it tries again until that answers. */
  after: readonly AgentKind[];
};

const kinds: Readonly<Record<AgentKind, Kind>> = {
  consul: { description: "Consul agent", type: "exec", after: [] },
  "nomad-server": { description: "Nomad server", type: "notify", after: ["consul"] },
  releases: { description: "Releases for the Nomad client", type: "exec", after: [] },
  "nomad-client": { description: "Nomad client", type: "notify", after: ["consul", "nomad-server", "releases"] },
};

/** Programs beside the Nomad client; both are in this folder. */
export type ClientScripts = {
  /** Mounts again what a reboot took: restore-mounts.sh and the client's data folder. */
  restoreMounts: readonly string[];
  /** Gives tasks more processor time: weigh-tasks.sh. */
  weighTasks: readonly string[];
};

export type AgentUnit = {
  kind: AgentKind;
  /** Of the units' names, before the kind: `prosaas`, or `prosaas-dev` for stack dev. */
  prefix: string;
  /** The program by its absolute path, and its arguments. */
  command: readonly string[];
  /** Of a Nomad client. */
  scripts?: ClientScripts;
  /** The file for stderr; by default the journal has both outputs. Agents write logs of their own, too. */
  stderr?: string;
};

export const unitName = (prefix: string, kind: AgentKind): string => `${prefix}-${kind}.service`;

/** The unit's file. */
export function unitText({ kind, prefix, command, scripts, stderr }: AgentUnit): string {
  const { description, type, after } = kinds[kind];
  const lines = [
    "# Written by ProSaaS (scripts/cli/agents/unit.ts).",
    "[Unit]",
    `Description=${prefix}: ${description}`,
    "Wants=network-online.target",
    `After=network-online.target ${after.map((one) => unitName(prefix, one)).join(" ")}`.trimEnd(),
    "# No number of failures is the last: an agent may wait for a disk or a network.",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    `Type=${type}`,
    ...(scripts === undefined ? [] : [`ExecStartPre=${commandLine(scripts.restoreMounts)}`]),
    `ExecStart=${commandLine(command)}`,
    ...(scripts === undefined ? [] : [`ExecStartPost=-${commandLine(scripts.weighTasks)}`]),
    "ExecReload=/bin/kill -HUP $MAINPID",
    "Restart=always",
    "RestartSec=1",
    "KillSignal=SIGINT",
    `KillMode=${kind === "nomad-client" ? "process" : "mixed"}`,
    "TimeoutStopSec=20",
    "LimitNOFILE=1048576",
    "TasksMax=infinity",
    "Environment=HOME=/root LANG=C.UTF-8",
    ...(stderr === undefined ? [] : ["StandardOutput=null", `StandardError=append:${stderr.replaceAll("%", "%%")}`]),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ];
  return lines.join("\n");
}

/** Quotes for systemd, which expands `%`, `$` and backslashes and splits at spaces. */
function commandLine(words: readonly string[]): string {
  const quote = (word: string) => {
    const escaped = word.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%").replaceAll("$", "$$$$");
    return /^[\w./:=@,+%-]+$/.test(escaped) ? escaped : `"${escaped}"`;
  };
  return words.map(quote).join(" ");
}
