import { expect, test } from "bun:test";
import { streamEvents, streamNotices } from "../../../lib/events/catalogue.ts";
import { eventNames } from "./live.ts";

test("listens to every event and notice of the streams", () => {
  expect([...eventNames].toSorted()).toEqual([...streamEvents, ...Object.keys(streamNotices)].toSorted());
});
