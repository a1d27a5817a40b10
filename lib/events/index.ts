export { idForm } from "./event.ts";
export type { LiveEvent, PlacedEvent } from "./event.ts";
export { createFeed } from "./feed.ts";
export type { Feed, FeedItem, Subscription } from "./feed.ts";
export { publishEvents } from "./publish.ts";
