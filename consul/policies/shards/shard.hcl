# One shard, ${shard} being its number: the lock on that number, whose LockIndex is the fencing token.
# scripts/stack/access/shard_locks.ts makes such a policy and a token for each.
key "prosaas/whatsapp/shards/${shard}/owner" {
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
