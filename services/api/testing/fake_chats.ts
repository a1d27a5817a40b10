import type { ShardChats } from "../../../lib/contracts/shard/index.ts";

/** A shard's side of chats in memory: what was asked, and answers that a test may change. */
export type FakeChats = ShardChats & {
  asked: { what: keyof ShardChats; business: string; request: unknown }[];
  /** Awaited before each answer: a test throws what a shard would. */
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
