-- "passkey": WhatsApp links the account with its passkey only, and its owner has to approve.
alter table whatsapp_sessions
  drop constraint whatsapp_sessions_status_check,
  add constraint whatsapp_sessions_status_check check (status in
    ('disconnected', 'connecting', 'qr', 'code', 'passkey', 'open', 'logged_out', 'conflict', 'auth_error', 'banned'))
    not valid;
