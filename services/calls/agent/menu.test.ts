import { describe, expect, test } from "bun:test";
import { Menu } from "./menu.ts";
import type { AgentStart, FromAgent } from "./protocol.ts";

const start = (more: Partial<AgentStart> = {}): AgentStart => ({
  type: "start",
  version: 1,
  call_sid: "CA1",
  business_id: "b",
  direction: "inbound",
  from: "+1",
  to: "+2",
  resumed: false,
  position_ms: 0,
  state: null,
  ...more,
});

function talk(transferTo: string | null = null) {
  const said: FromAgent[] = [];
  const played: Buffer[] = [];
  const menu = new Menu({ play: (audio) => played.push(audio), say: (message) => said.push(message) }, { transferTo });
  return { menu, said, played };
}

describe("menu", () => {
  test("restores pressed keys from its state", () => {
    const first = talk();
    first.menu.take(start());
    first.menu.take({ type: "dtmf", digit: "1" });
    first.menu.take({ type: "dtmf", digit: "2" });
    expect(first.said.filter((message) => message.type === "mark").map((message) => message.name)).toEqual([
      "greeting",
      "keys:1",
      "keys:12",
    ]);
    const left = first.said.findLast((message) => message.type === "state")!.state;

    const second = talk();
    second.menu.take(start({ resumed: true, state: left }));
    second.menu.take({ type: "dtmf", digit: "3" });
    expect(second.said.filter((message) => message.type === "mark").map((message) => message.name)).toEqual([
      "welcome_back",
      "keys:123",
    ]);
  });

  test("ignores a foreign state", () => {
    const { menu, said } = talk();
    menu.take(start({ resumed: true, state: "{]" }));
    menu.take({ type: "dtmf", digit: "5" });
    expect(said.at(-1)).toEqual({ type: "mark", name: "keys:5" });
  });

  test("# hangs up, * clears, 9 transfers if possible", () => {
    const { menu, said } = talk("+15550000009");
    for (const digit of ["*", "9", "#"]) menu.take({ type: "dtmf", digit });
    expect(said).toEqual([{ type: "clear" }, { type: "transfer", to: "+15550000009" }, { type: "hangup" }]);
    const nowhere = talk();
    nowhere.menu.take({ type: "dtmf", digit: "9" });
    expect(nowhere.said.at(-1)).toEqual({ type: "mark", name: "keys:9" });
  });

  test("echoes audio", () => {
    const { menu, played } = talk();
    menu.hear(Buffer.from([1, 2, 3]));
    expect(played).toEqual([Buffer.from([1, 2, 3])]);
  });
});
