# The workers: where each shard is, and how many there are.
service "whatsapp-shard" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}

key_prefix "prosaas/whatsapp/" {
  policy = "read"
}

# Finds the address of Redis.
service "redis" {
  policy = "read"
}
