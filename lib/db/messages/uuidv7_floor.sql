-- The smallest UUIDv7 of a moment, which is the bound of a partition of messages (uuidv7Floor in lib/core/ids.ts).
create or replace function uuidv7_floor(at timestamptz) returns uuid
  language sql immutable strict parallel safe
  as $$
    select (substr(ms, 1, 8) || '-' || substr(ms, 9, 4) || '-7000-8000-000000000000')::uuid
    from lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') as ms
  $$;
