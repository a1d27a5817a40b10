# The API: where each shard and each calls replica is, how many shards there are and how new businesses are assigned.
service "whatsapp-shard" {
  policy = "read"
}

service "prosaas-calls" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}

key_prefix "prosaas/whatsapp/" {
  policy = "read"
}

# An administrator changes the limit of concurrent calls over the API.
key "prosaas/calls/max_concurrent" {
  policy = "write"
}

# Finds the address of Redis.
service "redis" {
  policy = "read"
}

# Finds the replica, for reads that may lag.
service "postgres-replica" {
  policy = "read"
}
