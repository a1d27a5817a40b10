# The watch that restores the shards of lost nodes (task restore:watch): volumes, lost nodes.
# Changes no job and reads no secret. Nomad has no finer right to purge a node than this one.
namespace "default" {
  capabilities = [
    "list-jobs", "read-job", "host-volume-read", "host-volume-create", "host-volume-delete",
    "alloc-lifecycle", # stops what system jobs have on a lost node
  ]
}

node {
  policy = "write"
}
