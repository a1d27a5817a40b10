# Values for stack "dev": one machine, loopback only. A production cluster has its own file beside this one.
# Another stack's ports are given in a second file that scripts/up writes (stack.vars.hcl in its data folder).
# Variables that a job does not have are ignored with -hcl2-strict=false.

# How many of each. Scaled clusters keep their counts: deploys use -preserve-counts.
wa_shards_count = 2 # the least that shows that businesses live on different shards
api_count       = 2 # the least that survives the loss of one
calls_count     = 2 # the same
worker_counts = {
  high    = 1
  default = 1
  low     = 1
}

log_level = "info"

# Endpoints under development are on this machine.
webhooks_allow_private = true

# Tasks listen on 127.0.0.1 only (nomad/agent/client.hcl).
host_network = "loopback"
listen_host  = "127.0.0.1"

# Where things are.
consul_address   = "127.0.0.1:8500"
postgres_address = "127.0.0.1:15432"
read_address     = "127.0.0.1:15433"
pooler_address   = "127.0.0.1:16432"
redis_address    = "127.0.0.1:16379"
public_url       = "https://127.0.0.1:8443"

# The simulator stands in for WhatsApp; leave this out for the real one.
wa_websocket_url = "ws://127.0.0.1:17070/ws/chat"

# The simulator is the voice carrier too; leave this out for the real one. A menu stands in for a voice agent.
twilio_api_url = "http://127.0.0.1:17070"
call_agent_url = "ws://127.0.0.1:17080/"

# Its media host too, which tasks trust by the secret media_ca.
wa_media_host = "127.0.0.1:17071"

# Files lie in the volume "media"; a cluster of several machines has a bucket.
storage_url = "file:///media"

# Nobody bans the simulator's numbers.
pacing = "off"

# Ports of what has fixed ones: ten thousand above the usual, so that nothing of Debian's is in the way.
postgres_port         = 15432
postgres_replica_port = 15433
pgbouncer_port        = 16432
redis_port            = 16379
simulator_port        = 17070
call_agent_port       = 17080
simulator_media_port  = 17071
http_port             = 8080
https_port            = 8443
hsts_max_age          = 0 # browsers would ask every other program on localhost for https
