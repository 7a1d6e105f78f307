# The Python package of this project, as it was installed: its tests, natively with a
# security module that is one of the tests, under km with /dev/nsm.
# km-test: needs=namespaces,build/nsm/kontain-nsm/.ready
. "$(dirname "$0")/lib.sh"

package=$(dirname "$0")/../../runtime/kontain-nsm
works "its tests" "$package/verify" test "$BUILD/nsm/kontain-nsm" $RUN
python=$BUILD/nsm/kontain-nsm/venv/bin/python
is "no device" "$($RUN "$python" -B -c 'from kontain_nsm import Nsm; Nsm()' 2>&1 | tail -n 1)" \
    "FileNotFoundError: [Errno 2] No such file or directory: '/dev/nsm'"
finish
