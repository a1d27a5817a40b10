# The watch that restores the shards of lost nodes: who owns a shard, and which nodes are reached.
key_prefix "prosaas/whatsapp/shards/" {
  policy = "read"
}

# Its own record of restores.
key_prefix "prosaas/restores/" {
  policy = "write"
}

# The shards that an interrupted node:drain relocates.
key_prefix "prosaas/whatsapp/relocations/" {
  policy = "write"
}

key "prosaas/whatsapp/cordon" {
  policy = "write"
}

# One command at a time changes the cluster.
key "prosaas/scale/lock" {
  policy = "write"
}

# The session of that lock. Every node, because scripts/up installs this file before it knows the agent of the watch.
session_prefix "" {
  policy = "write"
}

service "whatsapp-shard" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
