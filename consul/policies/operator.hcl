# The role that scales, moves and watches: the commands in scripts/cli.
key_prefix "prosaas/" {
  policy = "write"
}

session_prefix "" {
  policy = "write"
}

service_prefix "" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}

agent_prefix "" {
  policy = "read"
}

# task doctor: the health of the servers.
operator = "read"
