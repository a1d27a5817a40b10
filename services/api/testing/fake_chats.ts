import type { ShardChats } from "../../../lib/contracts/shard/index.ts";

/** An in-memory chats API of a shard that records requests. */
export type FakeChats = ShardChats & {
  asked: { what: keyof ShardChats; business: string; request: unknown }[];
  /** Awaited before each response. A test may replace it to throw an error. */
  before: () => Promise<void>;
};

export function createFakeChats(): FakeChats {
  const note =
    <Request, Answer>(what: keyof ShardChats, answer: (request: Request) => Answer) =>
    async (_at: unknown, business: string, request: Request): Promise<Answer> => {
      await fake.before();
      fake.asked.push({ what, business, request });
      return answer(request);
    };
  const fake: FakeChats = {
    asked: [],
    before: async () => {},
    showPresence: note("showPresence", () => {}),
    markRead: note("markRead", () => {}),
    checkNumbers: note("checkNumbers", (numbers: string[]) =>
      numbers.map((number) =>
        number.endsWith("0")
          ? { number, on_whatsapp: false }
          : { number, on_whatsapp: true, jid: `${number}@s.whatsapp.net` },
      ),
    ),
    pictureUrl: note("pictureUrl", () => "https://pps.example.com/picture.jpg"),
  };
  return fake;
}
