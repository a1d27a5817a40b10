# Whoever scales, moves and watches: the scripts in scripts/cli/scale and scripts/cli/operator.
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
