# What the scripts here share, beside what those of servers do. Natively the containers are
# crun's, and what the script prints is the truth; under km they are krun's.

. "$(dirname "$0")/../servers/lib.sh"

top=$(cd "$(dirname "$0")/../.." && pwd)
ROOTFS=$BUILD/containers/rootfs.tar
if [ -n "$RUN" ]; then runtime=krun; else runtime=crun; fi
# crun refuses a machine with cgroups of both versions: here it has those of the first.
if [ -d /sys/fs/cgroup/unified ]; then
    mkdir /run/cgroup
    mount -t tmpfs tmpfs /run/cgroup
    for controller in /sys/fs/cgroup/*/; do
        mkdir "/run/cgroup/$(basename "$controller")"
        [ "$controller" = /sys/fs/cgroup/unified/ ] || mount --bind "$controller" "/run/cgroup/$(basename "$controller")"
    done
    mount --rbind /run/cgroup /sys/fs/cgroup
fi
# Which cgroups are of this script: the number of its namespace.
cgroup=km-tests-$(readlink /proc/self/ns/pid | tr -dc 0-9)

# cgroups_left: those that containers had.
cgroups_left() { find /sys/fs/cgroup/ -mindepth 3 -path "*/$cgroup/*" -type d ! -path '*/unified/*' 2>/dev/null; }
remove_cgroups() { find /sys/fs/cgroup/ -depth -type d -path "*/$cgroup*" -exec rmdir {} + 2>/dev/null; }
trap remove_cgroups EXIT

# docker_starts: a daemon of this script's own, with the image `debian`.
docker_starts() {
    export DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG=/run/docker-client
    cat >/run/daemon.json <<END
{ "runtimes": {
    "crun": { "path": "$(command -v crun)" },
    "krun": { "path": "$KRUN", "runtimeArgs": ["--km=${RUN:-/none}"] },
    "krun-nsm": { "path": "$KRUN", "runtimeArgs": ["--km=${RUN:-/none}", "--nsm=emulated"] }
} }
END
    dockerd --config-file /run/daemon.json --data-root /run/docker-data --exec-root /run/docker-exec \
        --pidfile /run/docker.pid --host "$DOCKER_HOST" --cgroup-parent "/$cgroup" \
        --bip 172.31.255.1/24 </dev/null >>dockerd.log 2>&1 &
    dockerd=$!
    eventually "dockerd" docker info
    works "an image" docker import "$ROOTFS" debian
}

# docker_stops: nothing is left of its containers.
docker_stops() {
    is "containers left" "$(docker ps --all --quiet)" ""
    is "mounts left" "$(grep -c -e /run/docker-data/overlay2/ -e /run/docker/netns /proc/mounts)" 0
    eventually "no cgroups left" says "" cgroups_left
    is "programs left" "$(readlink /proc/[0-9]*/exe | grep -e '^/\.km' -e /opt/kontain -e /run/docker-data)" ""
    kill "$dockerd"
    wait "$dockerd"
    is "dockerd has ended" $? 0
}

# run ARGS...: docker run
run() { docker run --rm --runtime "$runtime" "$@"; }

# shows NAME ARGS...: what a container prints, to standard error last, and its exit code.
shows() {
    local name=$1 said status
    shift
    said=$(run "$@" 2>shows.err </dev/null)
    status=$?
    echo "$name: $said $(cat shows.err) [$status]"
}

# gives NAME STATUS ARGS...: a container ends so, whatever it prints.
gives() {
    local name=$1 status=$2
    shift 2
    run "$@" >gives.out 2>&1 </dev/null
    is "$name" $? "$status"
}
