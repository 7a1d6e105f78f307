# Programs on AWS's own crate, unchanged: payloads/nsm/rust.
# km-test: needs=namespaces,build/payloads/nsm/.rust
. "$(dirname "$0")/lib.sh"

programs=$BUILD/payloads/nsm
for program in nsm-fresh nsm-threads; do
    is "$program without a device" "$($RUN "$programs/$program.km" 2>&1)" "there is no /dev/nsm"
done
asks "a fresh module" "$programs/nsm-fresh.km"
asks "each run has a fresh one" "$programs/nsm-fresh.km"
asks "ninety threads" "$programs/nsm-threads.km" 90 20
finish
