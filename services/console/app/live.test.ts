import { expect, test } from "bun:test";
import { streamEvents, streamNotices } from "../../../lib/events/catalogue.ts";
import { eventNames } from "./live.ts";

test("the console listens to everything that streams carry", () => {
  expect([...eventNames].toSorted()).toEqual([...streamEvents, ...Object.keys(streamNotices)].toSorted());
});
