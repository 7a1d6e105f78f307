monitor=${km%% *}
options=${km#* }
authority=${payload%/*}/authority
python=$(python3 -c 'import sys; print(sys.executable)')
NONCE=000102030405060708090a0b0c0d0e0f
export NONCE

watch() { "$folder/watch" "$monitor" "$authority/root.pem" "$@"; }
# What is another text at each run.
plain() {
    sed -e 's/^random [0-9a-f]\{64\}$/random bytes/' -e 's/^\(module  *dev-nsm-\).*/\1.../' \
        -e '/^signed at/d' -e 's/^\(PCR[0-9]*  *\)[0-9a-f]\{96\}$/\1.../'
}
# measure PROGRAM ARG...: a line a register.
# shellcheck disable=SC2086 # words
measure() { timeout --foreground 120 "$monitor" measure $options "$@"; }
expected() { sed 's/^PCR\([0-9]*\) /--pcr \1=/' "$1"; }
# The document of the first round.
document() { sed -n 's/^document //p' | head -n 1; }

title 'in C'
payload 2 0 | watch | plain
status payload 1 x 2>&1

title 'in Python'
PYTHONPATH=$folder/../../runtime/kontain-nsm/src
export PYTHONPATH
# shellcheck disable=SC2086
timeout --foreground 120 $km "$python" -B "$folder/demo.py" 1 0 | watch | plain
measure "$python" -B "$folder/demo.py" 1 0 >measured
# shellcheck disable=SC2046,SC2086
timeout --foreground 120 $km "$python" -B "$folder/demo.py" 1 0 | watch $(expected measured) | grep -c '^verdict .* EMULATED'
unset PYTHONPATH

title 'the registers are known beforehand'
measure "$payload" -- 1 0 >measured
cut -d' ' -f1 measured
# shellcheck disable=SC2046
payload 1 0 | watch $(expected measured) | grep -c '^verdict .* EMULATED'

title 'and no others will do'
measure "$payload" -- 1 1 >other
diff measured other | sed -n 's/^> \(PCR[0-9]*\).*/\1 is another one/p'
# shellcheck disable=SC2046
payload 1 0 | watch $(expected other) | sed -n 's/^verdict  *\(NOT VALID: [^:]*\):.*/\1/p'

title 'the nonce is not measured'
NONCE=ffff
measure "$payload" -- 1 0 | cmp - measured && echo the same

title 'another nonce, another root'
payload 1 0 | document >kept
status "$monitor" verify --dev-root "$authority/root.pem" --nonce ffff kept | grep '^exit'
status "$monitor" verify --dev-root "$authority/root.pem" --nonce eeee kept | sed -n -e 's/^verdict  *\(NOT VALID: [^:]*\):.*/\1/p' -e '/^exit/p'
status "$monitor" verify --nonce ffff kept | sed -n -e 's/^verdict  *\(NOT VALID: [^:]*\):.*/\1/p' -e '/^exit/p'
"$monitor" nsm init --dir another >/dev/null
status "$monitor" verify --dev-root another/root.pem --nonce ffff kept | sed -n -e 's/^verdict  *\(NOT VALID: [^:]*\):.*/\1/p' -e '/^exit/p'

title 'who looks into it has no registers'
# shellcheck disable=SC2086
timeout --foreground 120 $km --strace "$payload" 1 0 2>/dev/null | watch | sed -n 's/^verdict  *\(NOT VALID: [^:]*\):.*/\1/p'

title 'without a module'
status "$monitor" "$payload" 2>&1
status "$monitor" --nsm=emulated --nsm-ca nowhere "$payload" 2>&1 | sed "s/ (os error [0-9]*)//"
