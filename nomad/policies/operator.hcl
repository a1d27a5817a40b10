# Operators: everything in the namespace, secrets included, and the nodes.
namespace "default" {
  policy       = "write"
  capabilities = ["alloc-exec", "alloc-lifecycle", "host-volume-write"]

  variables {
    path "*" {
      capabilities = ["write", "read", "list", "destroy"]
    }
  }
}

node {
  policy = "write"
}

agent {
  policy = "read"
}

operator {
  policy = "read"
}
