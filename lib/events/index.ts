export { eventsOf, idForm } from "./event.ts";
export type { LiveEvent, PlacedEvent, StreamLimits } from "./event.ts";
export { createFeed } from "./feed.ts";
export type { Feed, FeedItem, Subscription } from "./feed.ts";
export { publishEvents } from "./publish.ts";
export { startMemoryGuard } from "./memory_guard.ts";
