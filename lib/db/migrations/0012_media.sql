-- Files of businesses. Their content lies in the store (lib/storage), sealed; a business has each content once, whatever
-- it is called and however often it is sent or received.
create table media (
  id uuid primary key,
  business_id uuid not null references businesses (id) on delete cascade,
  -- writing: its content is on its way into the store, or its writer died.
  status text not null default 'writing' check (status in ('writing', 'stored')),
  storage_key text not null unique,
  -- SHA-256 of the content, hexadecimal.
  sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
  size integer check (size >= 0),
  -- As the content says.
  mime text,
  -- What the content was found to be when it was looked into: null until then.
  described_at timestamptz(3),
  width integer,
  height integer,
  seconds real,
  thumbnail_key text,
  -- A tiny JPEG in base64, which goes along with messages.
  preview text,
  created_at timestamptz(3) not null default now(),
  -- When a message last came with it, in either direction.
  used_at timestamptz(3),
  -- Nobody is given it any more; its content is yet to be removed.
  deleted_at timestamptz(3),
  constraint media_stored_is_known check (status <> 'stored' or (sha256 is not null and size is not null and mime is not null))
);
create unique index media_by_content on media (business_id, sha256) where status = 'stored' and deleted_at is null;

-- What messages brought and is still to be fetched from WhatsApp: an outbox, whose rows go when they are done.
create table media_fetches (
  message_id uuid primary key,
  business_id uuid not null references businesses (id) on delete cascade,
  -- image, video, audio, document or sticker: it decides about the key.
  kind text not null,
  pointer jsonb not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz(3) not null default now(),
  error text,
  created_at timestamptz(3) not null default now()
);

-- What was put on WhatsApp's media host, or is to be, so that messages can name it. The host keeps it for some weeks.
create table media_uploads (
  media_id uuid not null references media (id) on delete cascade,
  kind text not null,
  business_id uuid not null references businesses (id) on delete cascade,
  status text not null default 'pending' check (status in ('pending', 'ready', 'failed')),
  pointer jsonb,
  error text,
  attempts integer not null default 0,
  next_attempt_at timestamptz(3) default now(),
  -- When it became ready, or failed.
  settled_at timestamptz(3),
  primary key (media_id, kind),
  constraint media_uploads_pending_has_next_attempt check ((status = 'pending') = (next_attempt_at is not null)),
  constraint media_uploads_settled_since check ((status = 'pending') = (settled_at is null)),
  constraint media_uploads_ready_has_pointer check (status <> 'ready' or pointer is not null)
);

alter table media enable row level security;
alter table media_fetches enable row level security;
alter table media_uploads enable row level security;

create policy scope on media using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);
create policy scope on media_fetches using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);
create policy scope on media_uploads using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);

grant select, insert, update, delete on media, media_fetches, media_uploads to prosaas_app;
