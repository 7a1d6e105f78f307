# What the OCI runtime specification asks of a runtime, by bundles made for it. A line says the
# section, the case, and what came of it; `make oci-table` runs it with other runtimes too, and
# writes what comes of that into docs/containers.md.
# km-test: needs=root,namespaces,/usr/bin/jq,/usr/bin/crun,build/containers/rootfs.tar
. "$(dirname "$0")/lib.sh"

case ${OCI_RUNTIME:-$runtime} in
krun) tool=("$KRUN" "--km=$RUN") ;;
runsc) tool=(runsc --network=none --ignore-cgroups) ;;
*) tool=("${OCI_RUNTIME:-$runtime}") ;;
esac
oci() { "${tool[@]}" --root /run/oci "$@"; }

mkdir -p /run/rootfs /run/bundle
mount -t tmpfs -o mode=755 tmpfs /run/rootfs
tar -xf "$ROOTFS" -C /run/rootfs
(cd /run/bundle && crun spec)
jq '.root = { path: "/run/rootfs", readonly: false } | .process.terminal = false | .process.cwd = "/" |
    .linux.cgroupsPath = "/'"$cgroup"'/c"' /run/bundle/config.json >/run/base.json

# bundle FILTER COMMAND: a container that runs this in a shell, its configuration edited by jq.
bundle() {
    jq --arg command "$2" '.process.args = ["sh", "-c", $command] | '"$1" /run/base.json >/run/bundle/config.json
}

# result SECTION CASE GOT WANTED
result() {
    if [ "$3" = "$4" ]; then
        echo "$1 | $2 | yes"
    else
        echo "$1 | $2 | no"
        printf '%s: got "%s" want "%s"\n' "$2" "$3" "$4" >>differs.log
    fi
}

# check SECTION CASE WANTED FILTER COMMAND
check() {
    bundle "$4" "$5"
    result "$1" "$2" "$(cd /run/bundle && timeout 60 "${tool[@]}" --root /run/oci run c 2>&1 </dev/null)" "$3"
    oci delete --force c >/dev/null 2>&1
}

status() { oci state c 2>/dev/null | jq -r .status; }
is_status() { [ "$(status)" = "$1" ]; }
# comes STATUS: the container has it, sooner or later.
comes() {
    local tries=0
    until is_status "$1"; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || return 1
        sleep 0.05
    done
}
# created OPTIONS...: the container of the bundle is; its output is in the file `said`.
created() { (cd /run/bundle && exec timeout 60 "${tool[@]}" --root /run/oci create "$@" c >said 2>&1 </dev/null); }
deleted() { oci delete --force c >/dev/null 2>&1; }

# What a container is, and how it lives: runtime.md.
life=runtime.md
bundle . 'trap "exit 9" TERM; echo started; while :; do sleep 0.1; done'
created --pid-file /run/pid
result $life "create does not start the program" "$(status) $(cat /run/bundle/said)" "created "
result $life "state" "$(oci state c | jq -r '"\(.id) \(.bundle) \(.ociVersion | split(".")[0]) \(.pid)"')" "c /run/bundle 1 $(cat /run/pid)"
oci start c && comes running
result $life start "$(status)" running
result $life "its standard output" "$(for try in $(seq 100); do grep started /run/bundle/said && break || sleep 0.05; done)" started
oci start c >/dev/null 2>&1
result $life "start of what runs is an error" "$([ $? -ne 0 ] && status)" running
oci delete c >/dev/null 2>&1
result $life "delete of what runs is an error" "$(status)" running
result $life "exec" "$(oci exec c sh -c 'echo $((6 * 7))' 2>&1)" 42
result $life "exec: environment, directory, user" \
    "$(oci exec --env A=b --env PATH=/usr/bin --cwd /tmp --user 5:6 c sh -c 'echo $A $(pwd) $(id -u):$(id -g)' 2>&1)" "b /tmp 5:6"
jq '.process | .args = ["sh", "-c", "echo $A"] | .env += ["A=of the file"]' /run/base.json >process.json
result $life "exec of a process that a file describes" "$(oci exec --process process.json c 2>&1)" "of the file"
oci exec c sh -c 'exit 6' >/dev/null 2>&1
result $life "exec: exit code" $? 6
oci pause c >/dev/null 2>&1
result $life "pause" "$(comes paused && status)" paused
oci resume c >/dev/null 2>&1
result $life "resume" "$(status)" running
oci kill c TERM
result $life "kill" "$(comes stopped && status)" stopped
oci kill c TERM >/dev/null 2>&1
result $life "kill of what has stopped is an error" "$([ $? -ne 0 ] && echo error)" error
oci delete c
result $life "delete" "$(oci state c >/dev/null 2>&1 || echo gone)$(ls /run/oci | grep '^c$')" gone
bundle . 'exit 5' && (cd /run/bundle && oci run c >/dev/null 2>&1 </dev/null)
result $life "exit code" $? 5
deleted
bundle '.process.args = ["/no/such/program"]' '' && (cd /run/bundle && oci run c >/dev/null 2>&1 </dev/null)
result $life "a program that is not there" "$([ $? -ne 0 ] && echo error)" error
deleted
bundle . 'sleep 1000'
(cd /run/bundle && oci create taken; oci create taken) >/dev/null 2>&1 </dev/null
result $life "a name is taken once" "$(oci state taken 2>/dev/null | jq -r .status)" created
oci delete --force taken >/dev/null 2>&1

# config.md
config=config.md
check $config#process "environment, in its order" "$(printf 'B=2\nA=1\nHOME=/x')" '.process.env = ["B=2", "A=1", "HOME=/x"] | .process.args = ["/usr/bin/env"]' ''
check $config#process "current directory" /usr/share '.process.cwd = "/usr/share"' pwd
check $config#process "arguments" "-c|a b||" '.process.args = ["/usr/bin/printf", "%s|", "-c", "a b", ""]' ''
check $config#process "user and groups" "1000 50 7,8,50" '.process.user = { uid: 1000, gid: 50, additionalGids: [7, 8] }' \
    'echo $(id -u) $(id -g) $(id -G | tr " " "\n" | sort -n | paste -sd,)'
check $config#process umask 0027 '.process.user.umask = 23' umask
check $config#process rlimits "77 99" '.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 77, hard: 99 }]' 'echo $(ulimit -n) $(ulimit -Hn)'
check $config#process capabilities 0000000000000021 '.process.capabilities |= map_values(["CAP_CHOWN", "CAP_KILL"]) | .process.capabilities.ambient = []' \
    "sed -n 's/^CapEff:.//p' /proc/self/status"
check $config#process noNewPrivileges 1 '.process.noNewPrivileges = true' "sed -n 's/^NoNewPrivs:.//p' /proc/self/status"
check $config#process oomScoreAdj 321 '.process.oomScoreAdj = 321' 'cat /proc/self/oom_score_adj'
check $config#process "standard output is no terminal" "not a tty" . tty
check $config#root "read-only root" no '.root.readonly = true' 'touch /x 2>/dev/null && echo yes || echo no'
check $config#hostname hostname box '.hostname = "box"' hostname
echo bound >/run/bound
check $config#mounts "bind mount" bound '.mounts += [{ destination: "/mnt/file", type: "bind", source: "/run/bound", options: ["bind", "ro"] }]' 'cat /mnt/file'
check $config#mounts "its option ro" no '.mounts += [{ destination: "/mnt/file", type: "bind", source: "/run/bound", options: ["bind", "ro"] }]' \
    '(echo x >/mnt/file) 2>/dev/null && echo yes || echo no'
check $config#mounts "tmpfs with options" "tmpfs 700" '.mounts += [{ destination: "/mnt/t", type: "tmpfs", source: "tmpfs", options: ["mode=700", "size=1m"] }]' \
    'echo $(stat -f -c %T /mnt/t) $(stat -c %a /mnt/t)'
check $config#mounts "/dev, /proc, /sys as the specification has them" "tmpfs proc sysfs" . 'echo $(stat -f -c %T /dev /proc /sys)'
check $config#annotations "annotations of others" ran '.annotations = { "org.example.key": "value" }' 'echo ran'

# Hooks get the state on their standard input; that of config.md, by when they run.
hook() { jq -n --arg out "/run/hook.$1" '[{ path: "/bin/sh", args: ["sh", "-c", "jq -r .status >" + $out], env: ["PATH=/usr/bin:/bin"] }]'; }
hooks="{ prestart: $(hook prestart), createRuntime: $(hook createRuntime), createContainer: $(hook createContainer), poststart: $(hook poststart), poststop: $(hook poststop) }"
rm -f /run/hook.*
bundle ".hooks = $hooks" 'sleep 1000'
created
result $config#hooks "prestart and createRuntime run before start" "$(cat /run/hook.prestart /run/hook.createRuntime 2>&1 | grep -c creat)" 2
result $config#hooks "createContainer" "$([ -s /run/hook.createContainer ] && echo ran)" ran
oci start c
has_run() { [ -s "/run/hook.$1" ]; }
result $config#hooks poststart "$(for try in $(seq 100); do has_run poststart && break || sleep 0.05; done; cat /run/hook.poststart)" running
oci kill c KILL && comes stopped
oci delete c
result $config#hooks poststop "$(cat /run/hook.poststop 2>&1)" stopped
deleted
bundle '.hooks = { createRuntime: [{ path: "/bin/false" }] }' 'echo wrong' && (cd /run/bundle && oci run c >said 2>&1 </dev/null)
result $config#hooks "a hook that fails stops it all" "$(($? != 0)) $(grep -c wrong /run/bundle/said)" "1 0"
deleted

# config-linux.md
linux=config-linux.md
check $linux#namespaces "namespaces of its own" 5 . \
    'for n in pid ipc uts mnt net; do readlink /proc/self/ns/$n; done | sort -u | wc -l'
unshare --uts sh -c 'hostname joined; exec sleep 1000' &
holder=$!
joined() { [ "$(nsenter --target $holder --uts hostname)" = joined ]; }
eventually "a namespace" joined >/dev/null
check $linux#namespaces "a namespace by path" joined 'del(.hostname) | .linux.namespaces |= map(if .type == "uts" then .path = "/proc/'$holder'/ns/uts" else . end)' hostname
kill $holder
wait $holder 2>/dev/null
check $linux#namespaces "the host's, without an entry" "$(readlink /proc/self/ns/net)" '.linux.namespaces |= map(select(.type != "network"))' 'readlink /proc/self/ns/net'
check $linux#devices "default devices" "1:3 1:5 1:7 1:8 1:9 5:0" . 'cd /dev && stat -c %t:%T null zero full random urandom tty | paste -sd" "'
check $linux#devices "a device" "1:5 620 7" '.linux.devices += [{ path: "/dev/mine", type: "c", major: 1, minor: 5, fileMode: 400, uid: 0, gid: 7 }] | .linux.resources.devices = [{ allow: true, access: "rwm" }]' \
    'stat -c "%t:%T %a %g" /dev/mine'
check $linux#devices "a device that is not allowed" no '.linux.devices += [{ path: "/dev/mine", type: "b", major: 7, minor: 0, fileMode: 438 }] | .linux.resources.devices = [{ allow: false, access: "rwm" }]' \
    'head -c 1 /dev/mine 2>/dev/null && echo yes || echo no'
check $linux#cgroups "memory limit" 50331648 '.linux.resources.memory = { limit: 50331648 }' 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max'
check $linux#cgroups "pids limit" 33 '.linux.resources.pids = { limit: 33 }' 'cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max'
check $linux#cgroups "cpu shares" 512 '.linux.resources.cpu = { shares: 512 }' 'cat /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null || cat /sys/fs/cgroup/cpu.weight'
check $linux#cgroups "path" "/$cgroup/deep/c" '.linux.cgroupsPath = "/'"$cgroup"'/deep/c" | .linux.namespaces |= map(select(.type != "cgroup"))' "sed -n 's/.*:memory://p' /proc/self/cgroup"
check $linux#sysctl sysctl 42 '.linux.sysctl = { "net.ipv4.ip_default_ttl": "42" }' 'cat /proc/sys/net/ipv4/ip_default_ttl'
check $linux#masked-paths "masked paths" 0 '.linux.maskedPaths = ["/proc/version"]' 'wc -c </proc/version'
check $linux#readonly-paths "read-only paths" no '.linux.readonlyPaths = ["/usr"]' 'touch /usr/x 2>/dev/null && echo yes || echo no'
check $linux#rootfs-mount-propagation "propagation of the root" "shared" '.linux.rootfsPropagation = "shared"' "awk '\$5 == \"/\" { print \$7 }' /proc/self/mountinfo | sed 's/:.*//'"
check $linux#seccomp "seccomp: an error" "mkdir: cannot create directory '/x': Operation not permitted" \
    '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" }] }' 'mkdir /x'
check $linux#seccomp "seccomp: a call refused that the program does not make" yes \
    '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [{ names: ["faccessat2", "process_vm_readv"], action: "SCMP_ACT_ERRNO" }] }' 'echo yes'
check $linux#user-namespace "user namespace" "0 100000" '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings' \
    'echo $(id -u) $(awk "{ print \$2 }" /proc/self/uid_map)'

# The terminal is sent to a socket.
cat >terminal.py <<'END'
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind("/run/console")
server.listen(1)
connection, _ = server.accept()
_, control, _, _ = connection.recvmsg(100, socket.CMSG_SPACE(4))
terminal = array.array("i", control[0][2])[0]
text = b""
while b"end" not in text:
    try:
        text += os.read(terminal, 1000)
    except OSError:
        break
print(text.decode().split()[0])
END
python3 terminal.py >terminal.out 2>&1 &
terminal=$!
there() { [ -S /run/console ]; }
eventually "a socket" there >/dev/null
bundle '.process.terminal = true' 'tty; echo end'
created --console-socket /run/console && oci start c
comes stopped
kill -0 $terminal 2>/dev/null && [ ! -s /run/bundle/said ] || kill $terminal 2>/dev/null
wait $terminal
result $config#process "terminal, by its socket" "$(cat terminal.out)" /dev/pts/0
deleted

[ ! -e differs.log ] || cat differs.log >&2
# Others than crun and krun are only looked at.
[ -z "${OCI_RUNTIME-}" ] || exit 0
umount /run/rootfs
[ ! -e differs.log ] || failures=1
finish
