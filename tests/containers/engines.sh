# containerd's client and podman, which call the runtime in ways of their own.
# km-test: needs=root,namespaces,/usr/bin/containerd,/usr/bin/podman,/usr/bin/crun,build/containers/rootfs.tar
. "$(dirname "$0")/lib.sh"

if [ -n "$RUN" ]; then binary=$PWD/$runtime; else binary=$(command -v crun); fi
printf '#!/bin/sh\nexec %s --km=%s "$@"\n' "$KRUN" "$RUN" >krun && chmod +x krun
printf '#!/bin/sh\nexec %s --km=%s --annotations=all "$@"\n' "$KRUN" "$RUN" >krun-all && chmod +x krun-all

# containerd: an image of its own kind is not needed, only a root.
mkdir /run/rootfs /run/containerd-data
mount -t tmpfs -o mode=755 tmpfs /run/rootfs
tar -xf "$ROOTFS" -C /run/rootfs
cat >containerd.toml <<'END'
version = 2
root = "/run/containerd-data"
state = "/run/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "/run/containerd.sock"
END
containerd --config containerd.toml </dev/null >>containerd.log 2>&1 &
containerd=$!
ctr() { command ctr --address /run/containerd.sock "$@"; }
eventually "containerd" ctr version
# starts OPTIONS... ROOT NAME COMMAND...: each with a cgroup of its own, as what is left in that is killed at the end.
starts() { ctr run --runtime io.containerd.runc.v2 --runc-binary "$binary" --cgroup "/$cgroup/ctr$RANDOM" --env PATH=/usr/bin:/bin --rootfs "$@"; }
is "ctr run" "$(starts --rm --env A=b --cwd /tmp /run/rootfs one sh -c 'echo $A $(pwd) $(id -u)' 2>&1)" "b /tmp 0"
starts --rm /run/rootfs two sh -c 'exit 9'
is "its exit code" $? 9
starts --rm /run/rootfs three sh -c 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done' </dev/null >three.out 2>&1 &
three=$!
eventually "one that goes on" says ready cat three.out
is "ctr exec" "$(ctr task exec --exec-id e three sh -c 'echo $((6 * 7))' 2>&1)" 42
works "ctr pause" ctr task pause three
works "ctr resume" ctr task resume three
if [ -n "$RUN" ]; then
    is "it is under km" "$(ctr task ps three | awk 'NR > 1 { print $1 }' | xargs -I{} readlink /proc/{}/exe | sort -u)" /.km
    said=$(ctr task checkpoint three 2>&1 | grep -c 'a virtual machine cannot be checkpointed by CRIU')
    is "no checkpoint" "$said" 1
    said=$(starts --rm --annotation app.kontain.colour=red /run/rootfs four true 2>&1)
    is "an annotation" "$(echo "$said" | grep -o 'krun: .* is not known')" 'krun: the annotation "app.kontain.colour" is not known'
    is "an annotation that is known" "$(starts --rm --annotation app.kontain.memory=16M /run/rootfs five \
        python3 -c 'bytearray(1 << 30)' 2>&1 | tail -n 1)" MemoryError
    said=$(starts --rm --annotation app.kontain.enable=false /run/rootfs six true 2>&1 | grep -o 'krun: app.*: annotations may')
    is "not by an annotation alone" "$said" "krun: app.kontain.enable=false: annotations may"
    is "natively" "$(binary=$PWD/krun-all starts --rm --annotation app.kontain.enable=false /run/rootfs seven ls /dev/kvm 2>&1)" \
        "ls: cannot access '/dev/kvm': No such file or directory"
else
    printf 'ok %s\n' "it is under km" "no checkpoint" "an annotation" "an annotation that is known" "not by an annotation alone" natively
fi
works "ctr kill" ctr task kill --signal TERM three
wait $three
is "its exit code, too" $? 3
kill $containerd
wait $containerd
umount /run/rootfs

# podman, with nothing of the machine's.
mount -t tmpfs tmpfs /var/lib/containers 2>/dev/null || mkdir -p /var/lib/containers
cat >containers.conf <<END
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
tried = ["$binary"]
END
export CONTAINERS_CONF=$PWD/containers.conf TMPDIR=$PWD
podman() { command podman --root /run/podman --runroot /run/podman-run --tmpdir /run/podman-tmp --runtime tried "$@"; }
# alone OPTIONS...: networks of podman's want programs of their own.
alone() { podman run --network none --cgroup-parent "/$cgroup" "$@"; }
works "podman import" podman import --quiet "$ROOTFS" localhost/debian
is "podman run" "$(alone --rm --user 1000 --workdir /tmp -e A=b localhost/debian sh -c 'echo $A $(pwd) $(id -u)' 2>podman.log)" "b /tmp 1000"
alone --rm localhost/debian sh -c 'exit 9' 2>>podman.log
is "podman's exit code" $? 9
is "podman run --read-only" "$(alone --rm --read-only --cap-drop all localhost/debian sh -c 'touch /x 2>&1' 2>>podman.log)" \
    "touch: cannot touch '/x': Read-only file system"
alone --detach --name p localhost/debian sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done' >/dev/null 2>>podman.log
is "podman exec" "$(podman exec -e A=b p sh -c 'echo $A' 2>>podman.log)" b
if [ -n "$RUN" ]; then
    is "podman's is under km" "$(readlink "/proc/$(podman inspect --format '{{.State.Pid}}' p)/exe")" /.km
    is "podman's annotation" "$(alone --rm --annotation app.kontain.memory=16M localhost/debian \
        python3 -c 'bytearray(1 << 30)' 2>&1 | tail -n 1)" MemoryError
else
    printf 'ok %s\n' "podman's is under km" "podman's annotation"
fi
podman stop --time 60 p >/dev/null 2>>podman.log
is "podman stop" "$(podman inspect --format '{{.State.ExitCode}}' p)" 3
podman rm p >/dev/null
umount /run/podman/overlay 2>/dev/null
finish
