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

# Exports the age of the last backup.
key "prosaas/backup/last" {
  policy = "read"
}

# Finds the address of Redis.
service "redis" {
  policy = "read"
}
