# km-docker-config: the engines' configuration gets krun and loses it again, nothing else of it
# changes, and the engines believe it.
# km-test: needs=root,namespaces,/usr/bin/jq,/usr/bin/podman,/usr/sbin/dockerd,/usr/bin/crun,build/containers/rootfs.tar
. "$(dirname "$0")/lib.sh"

# Changes in /etc/containers vanish.
mkdir /run/upper /run/upper-work
mount -t overlay overlay -o lowerdir=/etc/containers,upperdir=/run/upper,workdir=/run/upper-work /etc/containers
drop=/etc/containers/containers.conf.d/50-krun.conf
configure() { "$(dirname "$KRUN")/km-docker-config" --daemon-json /run/daemon.json "$@"; }
# reload WANTED: dockerd has read it when krun is there, true or false.
knows_krun() { docker info --format '{{json .Runtimes}}' | jq 'has("krun")'; }
reload() {
    kill -HUP "$dockerd"
    eventually "reloaded" says "$1" knows_krun
}

docker_starts
jq -S 'del(.runtimes.krun)' /run/daemon.json >others.json
is "undo" "$(configure --undo)" "/run/daemon.json: krun was taken out
a running dockerd reads it when it is told to: systemctl reload docker
$drop: it has no krun"
is "the others stay" "$(jq -S . /run/daemon.json)" "$(cat others.json)"
reload false
is "again" "$(configure --undo | head -n 1)" "/run/daemon.json: it has no krun"
is "add" "$(configure)" "/run/daemon.json: krun was added
a running dockerd reads it when it is told to: systemctl reload docker
$drop: krun was added"
is "the others are there" "$(jq -S 'del(.runtimes.krun)' /run/daemon.json)" "$(cat others.json)"
is "it is krun" "$(jq -c .runtimes.krun /run/daemon.json)" "{\"path\":\"$KRUN\"}"
reload true
is "Docker runs it" "$(run debian echo yes)" yes
is "podman knows it" "$(podman --root /run/podman --runroot /run/podman-run --tmpdir /run/podman-tmp --cgroup-manager cgroupfs \
    --runtime krun info --format '{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}' 2>/dev/null)" "krun $KRUN"
before=$(cat /run/daemon.json $drop)
is "again" "$(configure)" "/run/daemon.json: it has krun already
$drop: it has krun already"
is "it stays" "$(cat /run/daemon.json $drop)" "$before"

# refuses NAME WORDS OPTIONS...: neither file changes.
refuses() {
    local name=$1 words=$2
    shift 2
    said=$(configure "$@" 2>&1)
    is "$name" "$? $said" "1 km-docker-config: $words"
    is "nothing is changed" "$(cat /run/daemon.json $drop)" "$before"
}
refuses "another krun" "/run/daemon.json has a runtime krun already, with the path \"$KRUN\"" --krun "$(command -v crun)"
refuses "no krun" "/none is not krun: no executable file; give --krun PATH" --krun /none
refuses "an option" "--what: what is that? See --help" --what
echo '{ "runtimes": ' >/run/daemon.json
before=$(cat /run/daemon.json $drop)
refuses "no JSON" "/run/daemon.json is not JSON: EOF while parsing a value at line 2 column 0"
rm /run/daemon.json
works "a file that is not there" configure
is "it is made" "$(jq -c . /run/daemon.json)" "{\"runtimes\":{\"krun\":{\"path\":\"$KRUN\"}}}"
works "and undone" configure --undo
is "both are gone" "$(ls /run/daemon.json $drop 2>/dev/null)" ""
echo "# mine" >$drop
said=$(configure 2>&1)
is "a file of another" "$? $said $(cat $drop)" "1 km-docker-config: $drop is not as km-docker-config writes it # mine"
docker_stops
finish
