# Every volume of a stack, by NAME, NODE, SIZE and ACCESS (scripts/stack/volumes.ts has the values of each):
#
#   sed 's/NAME/postgres-data/; s/NODE/<id>/; s/SIZE/1GiB/; s/ACCESS/single-node-single-writer/' \
#     nomad/volumes/volume.hcl | nomad volume create -
#
# NODE is the whole id of a node (nomad node status -verbose). Left to itself, Nomad puts every volume on the same one.

name      = "NAME"
type      = "host"
plugin_id = "mkdir"
node_id   = "NODE"

# mkdir enforces no size, and Nomad wants both.
capacity_min = "SIZE"
capacity_max = "SIZE"

capability {
  access_mode     = "ACCESS" # as the job that mounts it asks
  attachment_mode = "file-system"
}

parameters {
  mode = "0700"
  uid  = "65534" # the user of all tasks
  gid  = "65534"
}
