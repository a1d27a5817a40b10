-- Name of the business's linked devices, as its phone lists them. Null: the platform's.
alter table businesses add column device_name text;
