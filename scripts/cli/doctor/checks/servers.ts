import { count, error, warning } from "../finding.ts";
import type { Fault } from "../finding.ts";

/** A server of Nomad or Consul, as its leader sees it. */
export type Server = {
  name: string;
  /** "alive", or "failed", "left" and others for a server that the others do not reach. */
  serf: string;
  healthy: boolean;
  voter: boolean;
  /** The last entry of its log. */
  lastIndex: number;
  leads: boolean;
};

export type ServersNow = {
  agent: "Nomad" | "Consul";
  /** Null without a leader, and then nothing else is known. */
  leader: string | null;
  servers: readonly Server[];
  /** Servers that may still be lost. */
  tolerance: number;
};

/** A server that lacks this many entries is behind: autopilot's default for a healthy one (max_trailing_logs). */
const entriesBehind = 250;

const guide = 'See "Lost servers" in nomad/README.md.';

export function judgeServers({ agent, leader, servers, tolerance }: ServersNow): Fault[] {
  const members = agent === "Nomad" ? "nomad server members" : "consul operator raft list-peers";
  if (leader === null) {
    const lost = `${agent} has no leader: half of its servers or more are lost, and nothing can be changed.`;
    return [error(lost, `Start the lost servers (${members} lists them). ${guide}`)];
  }
  const newest = Math.max(0, ...servers.filter(({ leads }) => leads).map(({ lastIndex }) => lastIndex));
  const faults = servers.flatMap((server): Fault[] => {
    const why = unhealthyBecause(server, newest);
    return why === null ? [] : [error(`Server ${server.name} of ${agent} ${why}.`, `Look at it: ${members}. ${guide}`)];
  });
  const voters = servers.filter(({ voter }) => voter).length;
  if (voters > 1 && tolerance === 0) {
    const risk = `${agent} has ${count(voters, "voting server")} and loses its majority with the next one.`;
    faults.push(warning(risk, `Bring back lost servers, or add one: an odd number of at least 3 votes. ${guide}`));
  }
  return faults;
}

function unhealthyBecause({ serf, healthy, lastIndex }: Server, newest: number): string | null {
  if (serf !== "alive") return `is ${serf}: the others do not reach it`;
  const behind = newest - lastIndex;
  if (behind > entriesBehind) return `is ${count(behind, "entry", "entries")} behind the leader`;
  return healthy ? null : "is unhealthy: its last contact with the leader is too old";
}
