-- Attempts to decode the content of media, each recorded before it begins: content that takes its worker down is given
-- up after three.
alter table media add column describe_attempts integer not null default 0;
