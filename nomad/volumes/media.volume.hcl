# Files of messages and recordings of calls, sealed: where one machine needs no bucket.
#
#   nomad volume create nomad/volumes/media.volume.hcl

name      = "media"
type      = "host"
plugin_id = "mkdir"

# mkdir enforces no size, and Nomad wants both.
capacity_min = "10GiB"
capacity_max = "10GiB"

# Every allocation of the API and of the workers writes here.
capability {
  access_mode     = "single-node-multi-writer"
  attachment_mode = "file-system"
}

parameters {
  mode = "0700"
  uid  = "65534" # nobody, who runs the tasks
  gid  = "65534"
}
