# A program that is linked with km's C library, in an image that has none: it has the host's at
# each start, though the first one leaves empty folders in the image.
# km-test: needs=root,namespaces,/usr/bin/jq,/usr/bin/crun,build/kontain/runtime/libc.so
. "$(dirname "$0")/lib.sh"

mkdir -p bundle/rootfs /run/kontain/bin
printf '#include <stdio.h>\nint main(void) { return puts("with its library") < 0; }\n' >program.c
works "it is built" "$BUILD/kontain/bin/kontain-gcc" -dynamic --prefix=/opt/kontain -o bundle/rootfs/program program.c
(cd bundle && crun spec)
jq '.root.readonly = false | .process.terminal = false | .process.args = ["/program"] |
    .linux.cgroupsPath = "/'"$cgroup"'/c"' bundle/config.json >config.json
if [ -n "$RUN" ]; then
    cp "$RUN" /run/kontain/bin/km
    ln -s "$BUILD/kontain/runtime" "$BUILD/kontain/lib" /run/kontain/
fi
for start in first second; do
    cp config.json bundle/config.json
    if [ -n "$RUN" ]; then
        is "the $start start" "$("$KRUN" --km=/run/kontain/bin/km --root /run/oci run -b bundle c 2>&1)" "with its library"
    else
        echo "ok the $start start"
    fi
done
mkdir -p bundle/rootfs/opt/kontain/runtime && touch bundle/rootfs/opt/kontain/runtime/libc.so
if [ -n "$RUN" ]; then
    cp config.json bundle/config.json
    "$KRUN" --km=/run/kontain/bin/km --root /run/oci run -b bundle c >/dev/null 2>&1
    is "the image's own is not covered" $? 126
else
    echo "ok the image's own is not covered"
fi
finish
