# The watch that restores the shards of lost nodes (task restore:watch): makes and deletes volumes, purges nodes.
# Changes no job and reads no secret. Nomad has no finer right to purge a node than this one.
namespace "default" {
  capabilities = ["list-jobs", "read-job", "host-volume-read", "host-volume-create", "host-volume-delete"]
}

node {
  policy = "write"
}
