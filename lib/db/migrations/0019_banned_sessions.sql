-- "banned": WhatsApp refuses the account for a while (402).
alter table whatsapp_sessions
  drop constraint whatsapp_sessions_status_check,
  add constraint whatsapp_sessions_status_check check (status in
    ('disconnected', 'connecting', 'qr', 'code', 'open', 'logged_out', 'conflict', 'auth_error', 'banned'));
