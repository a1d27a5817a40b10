# The copy that the replica keeps.
#
#   nomad volume create nomad/volumes/postgres-replica-data.volume.hcl

name      = "postgres-replica-data"
type      = "host"
plugin_id = "mkdir"

# mkdir enforces no size, and Nomad wants both.
capacity_min = "1GiB"
capacity_max = "1GiB"

capability {
  access_mode     = "single-node-single-writer"
  attachment_mode = "file-system"
}

parameters {
  mode = "0700"
  uid  = "65534" # nobody, who runs the task
  gid  = "65534"
}
