import { createCaller, HttpFailure } from "../operator/http.ts";
import type { Caller } from "../operator/http.ts";

/** The parts of Nomad's answers that this folder reads; names are Nomad's. */
export type Job = {
  ID: string;
  Type: string;
  Stop?: boolean;
  Version?: number;
  JobModifyIndex?: number;
  ParameterizedJob?: unknown;
  TaskGroups: TaskGroup[];
};
export type TaskGroup = { Name: string; Count: number; Services?: { Name: string }[] | null; Scaling?: Scaling | null };
export type Scaling = { Min: number; Max: number; Enabled: boolean; Policy: unknown };
export type TaskEvent = { Time: number; Type: string; DisplayMessage: string };
export type TaskState = { State: string; Failed: boolean; Restarts: number; Events?: TaskEvent[] | null };
export type Allocation = {
  ID: string;
  Name: string;
  TaskGroup: string;
  JobVersion: number;
  DesiredStatus: string;
  ClientStatus: string;
  CreateIndex: number;
  TaskStates?: Record<string, TaskState> | null;
};
export type Deployment = { ID: string; JobVersion: number; Status: string; StatusDescription: string };
export type Evaluation = { CreateIndex: number; FailedTGAllocs?: Record<string, PlacementFailure> | null };
export type PlacementFailure = {
  NodesEvaluated: number;
  ConstraintFiltered?: Record<string, number> | null;
  DimensionExhausted?: Record<string, number> | null;
};

export type Nomad = Caller;

/** The token that the nomad program takes, where the cluster asks for one. */
const token = process.env["NOMAD_TOKEN"] || undefined;

export const createNomad = (addr: string): Nomad => createCaller({ baseUrl: addr, ...(token ? { token } : {}), timeoutMs: 30_000 });

/** A GET whose answer is no JSON; null where Nomad does not give it. */
export async function nomadText(addr: string, path: string): Promise<string | null> {
  const response = await fetch(new URL(path, addr), token ? { headers: { authorization: `Bearer ${token}` } } : {}).catch(() => null);
  return response?.ok ? response.text() : null;
}

/** What `call` answers, or null where Nomad says 404. */
export async function orNull<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof HttpFailure && error.status === 404) return null;
    throw error;
  }
}
