# The logins of one shard: allocation k of wa-shards gets wa-auth[k]. This file makes the first; for another:
#
#   sed 's/wa-auth\[0\]/wa-auth[1]/' nomad/volumes/wa-auth.volume.hcl | nomad volume create -

name      = "wa-auth[0]"
type      = "host"
plugin_id = "mkdir"

# mkdir enforces no size, and Nomad wants both. A login takes about a megabyte.
capacity_min = "1GiB"
capacity_max = "1GiB"

capability {
  access_mode     = "single-node-writer" # as wa-shards asks for it, and why is said there
  attachment_mode = "file-system"
}

parameters {
  mode = "0700"
  uid  = "65534" # nobody, who runs the task
  gid  = "65534"
}
