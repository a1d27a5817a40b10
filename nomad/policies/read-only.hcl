# The role that watches: reads jobs, allocations, their logs and nodes. Reads no secret, changes nothing.
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
