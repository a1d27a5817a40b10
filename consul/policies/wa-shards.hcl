# A shard: the lock on its number, whose LockIndex is the fencing token.
key_prefix "prosaas/whatsapp/shards/" {
  policy = "write"
}

# A lock is held by a session of the node's agent.
session_prefix "" {
  policy = "write"
}

# The platform's own pacing, which a running shard follows.
key "prosaas/whatsapp/pacing" {
  policy = "read"
}

# The version of WhatsApp Web that shards name, which a running shard follows.
key "prosaas/whatsapp/version" {
  policy = "read"
}

# Finds the address of Redis.
service "redis" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
