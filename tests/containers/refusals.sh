# What krun refuses: one line, an exit code, and nothing is changed.
# km-test: needs=root,namespaces,/usr/bin/jq,/usr/bin/crun
. "$(dirname "$0")/lib.sh"

# Natively there is nothing to be said of krun.
[ -n "$RUN" ] || KRUN=$(dirname "$0")/none
mkdir bundle
# refuses NAME STATUS WORDS COMMAND...
refuses() {
    local name=$1 status=$2 words=$3 ended before
    shift 3
    if [ -n "$RUN" ]; then
        before=$(sha256sum bundle/*.json 2>&1)
        "$@" >refused.out 2>&1
        ended=$?
        is "$name" "$ended $(cat refused.out)" "$status $words"
        is "nothing is changed" "$(sha256sum bundle/*.json 2>&1)" "$before"
    else
        printf 'ok %s\n' "$name" "nothing is changed"
    fi
}
krun() { "$KRUN" --km="$RUN" "$@"; }
config() { (cd bundle && rm -f config.json && crun spec && jq "$1" config.json >new && mv new config.json); }

refuses "no configuration" 1 "krun: bundle/config.json: No such file or directory (os error 2)" krun create -b bundle c
echo '{ "process": ' >bundle/config.json
refuses "no JSON" 1 "krun: bundle/config.json is not JSON: EOF while parsing a value at line 2 column 0" krun create -b bundle c
config '.process.args = "sh"'
refuses "arguments that are none" 1 "krun: bundle/config.json: process.args is not an array of strings" krun run -b bundle c
config '.annotations = { "app.kontain.colour": "red" }'
refuses "an annotation" 1 'krun: the annotation "app.kontain.colour" is not known: docs/containers.md lists those that are' krun run -b bundle c
config '.annotations = { "app.kontain.strace": "1" }'
refuses "its value" 1 'krun: app.kontain.strace="1": it is true or false' krun run -b bundle c
config .
refuses "an option's value" 1 'krun: --nsm="maybe": it is one of off, emulated, host, auto' krun --nsm=maybe run -b bundle c
refuses "an option behind the name" 1 "krun: create wants its options, and then the name of one container" krun create c -b bundle
refuses "an abbreviation" 1 "krun: --bun: write the option in full" krun create --bun bundle c
refuses "another file than config.json" 1 "krun: --config: krun edits a bundle's config.json, and no other file" krun create -f config.json c
refuses "krun itself" 1 "krun: $KRUN is krun, or no program: --oci-runtime wants crun, runc or the like" krun --oci-runtime="$KRUN" run -b bundle c
mkdir bundle/rootfs && ln -s /tmp/else bundle/rootfs/.km
refuses "a link in km's place" 1 "krun: bundle/rootfs/.km is a link in the image: km is to be in its place" krun run -b bundle c
rm -r bundle/rootfs
refuses "a checkpoint" 1 "krun: checkpoint: a virtual machine cannot be checkpointed by CRIU" krun checkpoint c
refuses "its restoration" 1 "krun: restore: a virtual machine cannot be checkpointed by CRIU" krun restore c
refuses "another km" 1 "krun: /none: No such file or directory (os error 2); it is km that the container is to have: give --km=PATH" \
    "$KRUN" --km=/none run -b bundle c
refuses "no program" 1 "krun: $PWD/bundle/config.json is not km: no executable file" "$KRUN" --km="$PWD/bundle/config.json" run -b bundle c
refuses "exec in none" 1 "krun: $(command -v crun) state none: error opening file \`/run/crun/none/status\`: No such file or directory" \
    krun exec none true
refuses "another runtime" 1 "krun: /none is krun, or no program: --oci-runtime wants crun, runc or the like" krun --oci-runtime=/none run -b bundle c
refuses "the host has no security module" 1 "krun: /dev/nsm: No such file or directory (os error 2); krun needs it to run containers under km" \
    krun --nsm=host run -b bundle c
mount -t tmpfs -o mode=755 tmpfs /dev
refuses "no /dev/kvm" 1 "krun: /dev/kvm: No such file or directory (os error 2); krun needs it to run containers under km" krun run -b bundle c
touch /dev/kvm
refuses "a file in its place" 1 "krun: /dev/kvm is not a character device" krun run -b bundle c
umount /dev
# The file is there, and no program.
for name in crun runc; do
    path=$(command -v $name) && mount --bind bundle/config.json "$path"
done
refuses "no runtime" 1 "krun: neither crun nor runc is in PATH: install one, or give --oci-runtime=PATH" krun run -b bundle c

# The engine reads the error from its log.
if [ -n "$RUN" ]; then
    krun --log log.json --log-format json checkpoint c 2>/dev/null
    is "the log" "$(jq -r '"\(.level) \(.msg) \(.time | fromdate | . > 0)"' log.json)" \
        "error krun: checkpoint: a virtual machine cannot be checkpointed by CRIU true"
    krun --nsm=maybe --log maybe.json --log-format json checkpoint c 2>/dev/null
    is "with a bad option before it" "$(jq -r .msg maybe.json)" 'krun: --nsm="maybe": it is one of off, emulated, host, auto'
    krun --log=log.text checkpoint c 2>/dev/null
    is "the log, as text" "$(sed 's/^time="[^"]*" //' log.text)" \
        'level=error msg="krun: checkpoint: a virtual machine cannot be checkpointed by CRIU"'
else
    printf 'ok %s\n' "the log" "with a bad option before it" "the log, as text"
fi
finish
