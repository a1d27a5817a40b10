-- Trace context (W3C traceparent) of the request that enqueued a message, and of the event that a delivery announces.
-- Null: not sampled, and of no size then. Read with the row, never searched.
alter table messages add column trace text;
alter table webhook_deliveries add column trace text;
