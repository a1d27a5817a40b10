-- True if the statuses of the business's contacts are published as events.
alter table businesses add column receive_statuses boolean not null default false;
