# The autoscaler: the lock of the active one, and the orders of operators.
key "prosaas/autoscaler/lock" {
  policy = "write"
}

key "prosaas/autoscaler/control" {
  policy = "read"
}

# One command at a time changes the cluster.
key "prosaas/scale/lock" {
  policy = "write"
}

# Locks are held by a session of the node's agent.
session_prefix "" {
  policy = "write"
}

# The addresses at which replicas report their load.
service "prosaas-api" {
  policy = "read"
}

service "prosaas-calls" {
  policy = "read"
}

service_prefix "prosaas-worker-" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
