wheels=${run##* }
wheels=${wheels%numpy.km}wheels
# Debian's musl does not tell its version; pip is told what fits.
install() {
    payload -m pip --disable-pip-version-check --no-cache-dir install --quiet --no-index --no-deps --no-compile \
        --only-binary :all: --implementation cp --platform musllinux_1_2_x86_64 --platform musllinux_1_1_x86_64 \
        --root-user-action=ignore --target "$@"
}

title 'pip installs'
status install site --find-links "$wheels" markupsafe
ls site

title 'what was installed works'
status payload "$folder/check.py"

title 'a wheel for glibc does not fit'
touch numpy-1.0-cp311-cp311-manylinux_2_17_x86_64.whl
status install other ./numpy-1.0-*.whl 2>&1
