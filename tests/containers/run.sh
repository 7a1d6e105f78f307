# docker run: what a program sees of its container, and how it ends.
# km-test: needs=root,namespaces,/usr/sbin/dockerd,/usr/bin/crun,build/containers/rootfs.tar
. "$(dirname "$0")/lib.sh"

docker_starts

shows "a pipeline" debian sh -c 'echo one two | tr a-z A-Z | cat; exit 0'
shows "environment" -e A=1 -e 'B=x y' --hostname box debian sh -c 'echo "$A $B $HOSTNAME $HOME $PATH"; hostname'
shows "arguments" debian printf '%s|' a 'b c' '' -- --strace '*'
shows "user" --user 1000:50 --group-add 7 debian id
shows "directory" -w /usr/share debian pwd
# Where the current directory has a program of that name, too.
shows "programs are looked for in PATH" -w /bin -e PATH=/usr/bin:/bin debian readlink /proc/self/exe
mkdir shadow && printf '#!/bin/sh\necho wrong\n' >shadow/true && chmod +x shadow/true
shows "and nowhere else" -v "$PWD/shadow:/shadow:ro" -w /shadow debian true

gives "exit code 0" 0 debian true
gives "exit code 3" 3 debian sh -c 'exit 3'
# crun says it at the creation, and Docker knows its words for it or not.
refused() {
    local name=$1 status=$2 words=$3
    shift 3
    run "$@" >refused.out 2>&1 </dev/null
    local ended=$?
    if [ -n "$RUN" ]; then
        is "$name" "$ended $(cat refused.out)" "$status km: $words"
    else
        is "$name" "$((ended >= 125))" 1
    fi
}
refused "not executable" 126 "/etc/passwd: permission denied: the file is not executable (chmod +x)" debian /etc/passwd
refused "not found" 127 "/no/such: No such file or directory" debian /no/such
refused "no such name" 127 "no-such-program: not found in PATH" debian no-such-program
docker run --runtime "$runtime" --detach --name killed debian sleep 1000 >/dev/null
docker kill killed >/dev/null
is "killed" "$(docker wait killed)" 137
docker rm killed >/dev/null
docker run --runtime "$runtime" --detach --init --name ended debian sleep 1000 >/dev/null
docker kill --signal TERM ended >/dev/null
is "terminated" "$(docker wait ended)" 143
docker rm ended >/dev/null

is "standard input" "$(echo in | run --interactive debian cat)" in
is "standard error" "$(run debian sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" err
shows "terminal" --tty debian sh -c 'tty; stty size'
shows "read-only" --read-only debian sh -c 'echo x >/x; cat /proc/self/mountinfo | grep -c " / / ro"'
shows "confined" --cap-drop ALL --security-opt no-new-privileges debian grep -E 'Cap|NoNew|^Seccomp:' /proc/self/status
shows "seccomp" debian sh -c 'unshare --mount true; grep ^Seccomp: /proc/self/status'
shows "another process" debian sh -c 'readlink /proc/$$/exe; grep -c dash /proc/$$/maps | sed "s/[1-9].*/some/"'
shows "a capability" --cap-add SYS_ADMIN --security-opt seccomp=unconfined debian unshare --mount true
shows "limits" --ulimit nofile=64:128 --ulimit core=0 debian sh -c 'ulimit -n; ulimit -Hn; ulimit -c'
shows "tmpfs" --tmpfs /scratch:size=1m debian sh -c 'stat -f -c "%T %b" /scratch; echo x >/scratch/x && cat /scratch/x'
mkdir volume && echo of the host >volume/file
shows "volume" -v "$PWD/volume:/mnt" debian sh -c 'cat /mnt/file; echo of the container >/mnt/other'
is "written there" "$(cat volume/other)" "of the container"
shows "init" --init debian sh -c 'tr "\0" " " </proc/1/cmdline; [ $$ -gt 1 ] && echo "not the first"'
shows "masked" debian sh -c 'wc -c </proc/timer_list; cat /proc/kcore; echo x 2>&1 >/proc/sys/kernel/hostname'
shows "devices" debian sh -c 'ls /dev | grep -v kvm; cat /dev/mem' 
shows "sysctl" --sysctl net.ipv4.ip_default_ttl=42 debian cat /proc/sys/net/ipv4/ip_default_ttl
shows "shm" --shm-size 2m debian sh -c 'stat -f -c %b /dev/shm'
shows "ipc, pid" --pid host --ipc host debian sh -c 'test $$ -gt 1 && echo many'
shows "cgroup" --memory 64m --cpus 0.5 debian sh -c \
    'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cat /sys/fs/cgroup/memory.max'
shows "pids" --pids-limit 12 debian sh -c 'i=0; while [ $i -lt 20 ]; do sleep 5 & i=$((i+1)); done 2>/dev/null; echo all' | sed 's/.*Cannot fork.*/no more/'
# What its memory is asked of is the container's cgroup.
docker run --runtime "$runtime" --memory 48m --name fat debian python3 -c 'x = bytearray(200 << 20)' >/dev/null 2>&1
is "too much memory" $? 137
is "that is known" "$(docker inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' fat)" "true 137"
docker rm fat >/dev/null

# Only krun's.
if [ -n "$RUN" ]; then
    is "it is km" "$(run debian sh -c 'ls /proc/self/exe >/dev/null; tr "\0" "\n" </proc/1/cmdline' | head -n 1)" sh
    is "km's node" "$(run --user 1000 debian stat -c '%a %t:%T' /dev/kvm)" "666 $(stat -c '%t:%T' /dev/kvm)"
    is "km is read-only" "$(run debian sh -c 'echo x 2>&1 >/.km')" "sh: 1: cannot create /.km: Read-only file system"
    is "it stays in its place" "$(run debian sh -c 'mv /.km /other; rm -f /.km' 2>&1)" \
        "mv: cannot move '/.km' to '/other': Device or resource busy
rm: cannot remove '/.km': Device or resource busy"
    works "an authority" "$RUN" nsm init --dir "$PWD/authority"
    is "a security module" "$(docker run --rm --runtime krun-nsm -v "$PWD/authority:/var/lib/kontain/nsm:ro" debian \
        stat -c %F /dev/nsm)" "character special file"
else
    printf 'ok %s\n' "it is km" "km's node" "km is read-only" "it stays in its place" "an authority" "a security module"
fi

docker_stops
finish
