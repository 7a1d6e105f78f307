# The host's own security module: requests reach it as they are, a launch is measured into it, and what would undo that
# does not. There is none, so fake-host stands in for it, between km and the kernel.
. "$(dirname "$0")/lib.sh"

guest=$BUILD/guests/static-musl/nsm_ask
if [ -z "$RUN" ]; then
    # Nothing of it is there natively.
    for name in registers unchanged answers refused "another payload" "without measuring" "what was asked"; do
        echo "ok $name"
    done
    finish
    exit
fi
km="$RUN -e A=1 --nsm=host --nsm-device=/dev/null"
hex() { printf "$1" | od -An -v -tx1 | tr -d ' \n'; }
odd=$(hex '\241\153DescribePCR\242\145index\030\022\141x\000')
future=$(hex '\146Future')
extend16=$(hex '\241\151ExtendPCR\242\145index\020\144data\101\001')
lock17=$(hex '\241\147LockPCR\241\145index\021')
extend18=$(hex '\241\151ExtendPCR\242\145index\022\144data\101\001')
printf '%s\n' "$future" "$odd" "$extend16" "$lock17" "$extend18" >requests
{
    echo "$km $guest ioctl <requests >answers"
    echo "$km $guest ioctl </dev/null 2>again"
    echo "printf '%s\n' $extend18 | $km --nsm-premeasure=off $guest call >unmeasured"
} | "$(dirname "$0")/fake-host"

"$RUN" measure -e A=1 --nsm=host --nsm-device=/dev/null "$guest" -- ioctl >measured
is registers "$(grep ^PCR seen)" "$(cat measured)"
grep -q "^$future$" seen && grep -q "^$odd$" seen
is unchanged $? 0
is answers "$(sed -n 1p answers)" "$(hex 'as the module says')"
is refused "$(sed -n 3,4p answers | cut -c 1-14 | uniq)" "$(hex '\241\145Error')"
is "another payload" "$(grep -c 'register 16 .* is in use' again)" 1
is "without measuring" "$(cut -c 1-24 unmeasured)" "$(hex '\241\151ExtendPCR\241')"
# Two to look, six to measure and look again, three of five; one to look; one.
is "what was asked" "$(grep -vc ^PCR seen)" 13
finish
