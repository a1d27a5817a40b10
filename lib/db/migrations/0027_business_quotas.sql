-- Quotas of a business that replace the platform's (lib/quotas), by their names; an absent name: the platform's.
alter table businesses add column quotas jsonb;
