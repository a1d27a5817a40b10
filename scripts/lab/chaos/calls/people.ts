import type { Caller } from "../../../cli/operator/http.ts";
import { createWait } from "../../../cli/operator/wait.ts";

/** A call as the simulated carrier describes it. */
type Simulated = {
  status: string;
  end: string | null;
  created_at: string;
  recoveries_ms: number[];
  streams: { marks: string[] }[];
  log: { at_ms: number; what: string; detail?: string }[];
};

/** Callers of a stack's simulator, controlled over its API. */
export function createPeople(simulator: Caller, number: string) {
  const look = (sid: string) => simulator<Simulated>("GET", `/calls/${sid}`);
  const marksOf = ({ streams }: Simulated) => streams.flatMap(({ marks }) => marks);
  const wait = createWait(60_000);

  return {
    /** Dials `count` calls and waits until each is greeted. */
    call: async (count: number): Promise<string[]> => {
      const { data } = await simulator<{ data: { sid: string }[] }>("POST", "/calls", {
        from: "+15550000001",
        to: number,
        count,
      });
      const sids = data.map(({ sid }) => sid);
      await wait(`${count} callers to be greeted`, async () => {
        const calls = await Promise.all(sids.map(look));
        return calls.every((call) => marksOf(call).length > 0);
      });
      return sids;
    },
    /** Each presses a key until the agent confirms it behind all earlier keys; returns those that are not heard. */
    press: async (sids: readonly string[], key: string, before: string): Promise<string[]> => {
      const wanted = new RegExp(`^keys:${before}${key}+$`);
      const isHeard = async (sid: string) => marksOf(await look(sid)).some((mark) => wanted.test(mark));
      const heard = async (sid: string) => {
        for (let attempt = 0; attempt < 4; attempt++) {
          await simulator("POST", `/calls/${sid}/digits`, { digits: key });
          if (await createWait(8000)(key, () => isHeard(sid)).catch(() => false)) return null;
        }
        return sid;
      };
      return (await Promise.all(sids.map(heard))).filter((sid) => sid !== null);
    },
    silences: async (sids: readonly string[]): Promise<number[]> =>
      (await Promise.all(sids.map(look))).flatMap((call) => call.recoveries_ms),
    /** Returns what happened in a call: its start, its log, and what each stream played. */
    history: async (sid: string): Promise<string> => {
      const { created_at: start, log, streams } = await look(sid);
      const lines = log.map(({ at_ms: ms, what, detail }) => `${(ms / 1000).toFixed(1)} s ${what} ${detail ?? ""}`);
      return [`since ${start}`, ...lines, `played ${JSON.stringify(streams.map(({ marks }) => marks))}`].join("; ");
    },
    /** Returns the calls that have ended. */
    gone: async (sids: readonly string[]): Promise<string[]> => {
      const calls = await Promise.all(sids.map(async (sid) => ({ sid, end: (await look(sid)).end })));
      return calls.filter(({ end }) => end !== null).map(({ sid }) => sid);
    },
    hangUp: (sids: readonly string[]) => Promise.all(sids.map((sid) => simulator("DELETE", `/calls/${sid}`))),
  };
}

export type People = ReturnType<typeof createPeople>;
