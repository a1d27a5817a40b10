-- One message of a business (get_message.ts). A function, because a connection keeps the plan of its query: Postgres
-- would spend most of the time on parsing and planning it, over every partition, for each request.
create or replace function get_message(message_id uuid, business uuid) returns setof messages
  language plpgsql stable
  as $$
    begin
      return query select * from messages m where m.id = message_id and m.business_id = business;
    end
  $$;
