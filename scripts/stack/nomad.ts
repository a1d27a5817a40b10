import { readFileSync } from "node:fs";
import { backoff } from "../../lib/core/retry.ts";
import { sleep } from "../../lib/core/time.ts";
import { answered, createCaller, HttpFailure } from "../cli/operator/http.ts";
import type { Caller } from "../cli/operator/http.ts";

/** The parts of Nomad's answers that this folder reads; names are Nomad's. */
export type Job = {
  ID: string;
  Type: string;
  Stop?: boolean;
  Version?: number;
  JobModifyIndex?: number;
  ParameterizedJob?: unknown;
  Meta?: Record<string, string> | null;
  NodePool?: string;
  TaskGroups: TaskGroup[];
};
export type TaskGroup = {
  Name: string;
  Count: number;
  Services?: { Name: string; Checks?: ServiceCheck[] | null }[] | null;
  Update?: { AutoRevert?: boolean | null } | null;
  Scaling?: Scaling | null;
  Volumes?: Record<string, { Source: string }> | null;
  Meta?: Record<string, string> | null;
  Tasks?: Task[];
};
export type ServiceCheck = { Path?: string; PortLabel?: string; OnUpdate?: string; InitialStatus?: string };
export type Task = {
  Name: string;
  Env?: Record<string, string> | null;
  Config?: { args?: string[] } | null;
  Artifacts?: { GetterSource: string }[] | null;
  Templates?: { EmbeddedTmpl: string; ChangeMode: string; DestPath?: string }[] | null;
};
/** Enabled: null in a parsed job file that does not say. */
export type Scaling = { Min: number; Max: number; Enabled: boolean | null; Policy: unknown };
export type TaskEvent = { Time: number; Type: string; DisplayMessage: string };
export type TaskState = { State: string; Failed: boolean; Restarts: number; Events?: TaskEvent[] | null };
export type Allocation = {
  ID: string;
  Name: string;
  NodeID: string;
  TaskGroup: string;
  JobVersion: number;
  DesiredStatus: string;
  ClientStatus: string;
  CreateIndex: number;
  /** Unix nanoseconds. */
  ModifyTime?: number;
  /** Null, or without a verdict, until its deployment has one. */
  DeploymentStatus?: { Healthy?: boolean | null } | null;
  TaskStates?: Record<string, TaskState> | null;
};
export type Deployment = { ID: string; JobVersion: number; Status: string; StatusDescription: string };
export type Evaluation = {
  CreateIndex: number;
  Status: string;
  TriggeredBy: string;
  FailedTGAllocs?: Record<string, PlacementFailure> | null;
};
export type PlacementFailure = {
  NodesEvaluated: number;
  ConstraintFiltered?: Record<string, number> | null;
  DimensionExhausted?: Record<string, number> | null;
};

export type Nomad = Caller;

/** The token that the nomad program takes. Read at each use: a command finds its stack's token after it has started. */
const tokenNow = (): string | undefined => process.env["NOMAD_TOKEN"] || undefined;

/** The authority of the agents' certificates, in the file that the nomad program takes; undefined without TLS. */
function authorityNow(): string | undefined {
  const file = process.env["NOMAD_CACERT"];
  return file ? readFileSync(file, "utf8") : undefined;
}

/** An election takes seconds, also on a loaded machine. */
const SETTLE_MS = 30_000;

/** Connects to Nomad with the token of the environment. Retries what a newly elected leader refuses, for `settleMs`. */
export function createNomad(addr: string, { settleMs = SETTLE_MS }: { settleMs?: number } = {}): Nomad {
  const token = tokenNow();
  const ca = authorityNow();
  const call = createCaller({ baseUrl: addr, ...(token ? { token } : {}), ...(ca ? { ca } : {}), timeoutMs: 30_000 });
  return async (method, path, body, headers) => {
    const end = performance.now() + settleMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await call(method, path, body, headers);
      } catch (error) {
        if (!isSettling(error) || performance.now() > end) throw error;
        await sleep(backoff({ attempt, baseMs: 50, maxMs: 1_000 }));
      }
    }
  };
}

/**
 * Answers of servers between an election and a leader that has its keyring. Nomad gives them before it applies
 * anything, so that a retry repeats no write. "leadership lost while committing log" is not one of them.
 */
const settlingAnswers = new RegExp(
  [
    "keyring has not been initialized yet",
    'no such key "\\S+" in keyring',
    "No cluster leader",
    "node is not the leader",
    "Not ready to serve consistent reads",
  ].join("|"),
);

function isSettling(error: unknown): boolean {
  return error instanceof HttpFailure && error.status === 500 && settlingAnswers.test(error.message);
}

/** A GET whose answer is a stream. It may last as long as `signal` allows. */
export function nomadStream(addr: string, path: string, signal?: AbortSignal): Promise<Response> {
  const token = tokenNow();
  const ca = authorityNow();
  const url = new URL(path, addr);
  const request = fetch(url, {
    ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
    ...(ca ? { tls: { ca } } : {}),
    ...(signal ? { signal } : {}),
    timeout: false,
  } as RequestInit);
  return answered(url, request);
}

/** A GET whose answer is no JSON; null where Nomad does not give it. */
export async function nomadText(addr: string, path: string): Promise<string | null> {
  const response = await nomadStream(addr, path).catch(() => null);
  return response?.ok ? response.text() : null;
}

/** The answer to `call`, or null where its status is 404, or one of `absent`. */
export async function orNull<T>(call: Promise<T>, absent: readonly number[] = [404]): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof HttpFailure && absent.includes(error.status)) return null;
    throw error;
  }
}
