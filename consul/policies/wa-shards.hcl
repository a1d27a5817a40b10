# The templates of shards: where Redis is. The shard itself has a token for its number (shards/shard.hcl).
service "redis" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
