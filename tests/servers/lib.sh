# What the scripts here share; each begins with it.
#
# A script has namespaces of its own for the network, processes, System V IPC
# and mounts, and works in a directory that vanishes with them. Servers are
# started by $RUN: nothing natively, else km. Clients are always native.

set -u
RUN=${RUN-}
export PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/work
cd /run/work || exit 1

failures=0

# is NAME GOT WANTED
is() {
    if [ "$2" = "$3" ]; then
        echo "ok $1"
    else
        echo "FAIL $1: got \"$2\" want \"$3\""
        failures=$((failures + 1))
    fi
}

# works NAME COMMAND...: it succeeds; what it prints is shown if not.
works() {
    local name=$1
    shift
    if "$@" >works.out 2>&1; then
        echo "ok $name"
    else
        echo "FAIL $name: status $?"
        tail -n 5 works.out
        failures=$((failures + 1))
    fi
}

# eventually NAME COMMAND...: sooner or later it succeeds. How soon is not
# judged; where it never does there is no going on.
eventually() {
    local name=$1 tries=0
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || give_up "$name"
        sleep 0.05
    done
    echo "ok $name"
}

# fails COMMAND...
fails() {
    ! "$@"
}

# says WANTED COMMAND...: it prints this, and nothing else.
says() {
    local wanted=$1
    shift
    [ "$("$@" 2>/dev/null)" = "$wanted" ]
}

give_up() {
    echo "FAIL $1"
    tail -n 8 ./*.log
    exit 1
}

# serve NAME COMMAND...: in the background; its process is then in $NAME.
serve() {
    local name=$1
    shift
    # shellcheck disable=SC2086 # words, or nothing
    $RUN "$@" </dev/null >>"$name.log" 2>&1 &
    eval "$name=$!"
}

# ended NAME WANTED: the server ends by itself now, with this status.
ended() {
    wait "${!1}" 2>/dev/null
    is "$1 has ended" $? "$2"
}

# stop NAME SIGNAL [WANTED]
stop() {
    kill "-$2" "${!1}"
    ended "$1" "${3:-0}"
}

# The last words of each script: no process and no shared memory is left.
finish() {
    local tries=0 left
    # This shell is the first process, which inherits and buries orphans.
    left=(/proc/[0-9]*)
    while [ ${#left[@]} -gt 1 ] && [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.05
        left=(/proc/[0-9]*)
    done
    is "processes left" "${left[*]}" /proc/1
    is "segments left" "$(tail -n +2 /proc/sysvipc/shm)" ""
    if [ "$failures" -gt 0 ]; then
        tail -n 8 ./*.log
        exit 1
    fi
    exit 0
}
