# Whoever watches: jobs, allocations, their logs and nodes. No secret, no change.
namespace "default" {
  policy       = "read"
  capabilities = ["read-logs"]
}

node {
  policy = "read"
}

agent {
  policy = "read"
}
