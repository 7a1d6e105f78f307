# What the scripts here share, beside what those of servers do. Natively there is no
# security module: the clients are only asked what they say then.

. "$(dirname "$0")/../servers/lib.sh"

AUTHORITY=$PWD/authority
[ -z "$RUN" ] || works "an authority" "$RUN" nsm init --dir "$AUTHORITY" >/dev/null

# with_module COMMAND...
with_module() { "$RUN" --nsm=emulated --nsm-ca "$AUTHORITY" "$@"; }

# asks NAME COMMAND...: under km, with a security module of its own, it succeeds.
asks() {
    local name=$1
    shift
    if [ -n "$RUN" ]; then
        works "$name" with_module "$@"
    else
        echo "ok $name"
    fi
}
