# make dist: the archive is the same each time, whole, and of use in any folder;
# the bill of materials is complete.
# km-test: needs=namespaces,/usr/bin/jq
. "$(dirname "$0")/../servers/lib.sh"

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${KONTAIN%/kontain}
export TMPDIR=$PWD
mount -t tmpfs tmpfs /opt
# Nothing is built here: km is that of the tests.
makes() {
    make -s --no-print-directory -C "$top" -o dist-km -o runtime -o notices \
        BUILD="$build" DIST_KM="$KM" SOURCE_DATE_EPOCH=1700000000 "$@"
}
works "dist" makes dist DIST="$PWD/one"
mkdir "for a while"
(umask 077 && TMPDIR="$PWD/for a while" works "again" makes dist DIST="$PWD/two")
is "left behind" "$(ls -A "for a while")" ""
mkdir broken
printf '#!/bin/sh\n/usr/bin/tar "$@"\nexit 2\n' >broken/tar && chmod +x broken/tar
PATH=$PWD/broken:$PATH works "an archive that is not whole" fails makes dist DIST="$PWD/three"
is "it is not put there" "$(ls three)" ""
name=$(cd one && basename ./*.tar.gz .tar.gz)
is "what is there" "$(cd one && echo ./*)" "./$name.spdx.json ./$name.tar.gz ./$name.tar.gz.sha256"
works "the same bytes" cmp one/$name.tar.gz two/$name.tar.gz
works "its checksum" env -C one sha256sum --check --strict $name.tar.gz.sha256
is "owners, times" "$(tar --numeric-owner --full-time -tvzf one/$name.tar.gz | awk '{ print $2, $4, $5 }' | sort -u)" \
    "0/0 2023-11-14 22:13:20"
is "modes" "$(tar -tvzf one/$name.tar.gz | cut -c 1-10 | sort -u | tr '\n' ' ')" "-rw-r--r-- -rwxr-xr-x drwxr-xr-x lrwxr-xr-x "
is "at the top" "$(tar -tzf one/$name.tar.gz | cut -d/ -f1 | sort -u)" "$name"

mkdir -p "some where"
tar -xzf one/$name.tar.gz -C "some where"
tree="$PWD/some where/$name"
is "what is in it" "$(cd "$tree" && echo ./*)" "./LICENSE ./README.md ./bin ./include ./lib ./runtime ./share"
is "what is not" "$(grep -rlF -e "$top" -e "$build" "$tree")" ""
for program in km krun km-docker-config; do
    is "$program is static" "$(LC_ALL=C readelf -lW "$tree/bin/$program" | grep -c INTERP)" 0
done

echo '#include <stdio.h>
int main(void) { return puts("hello") < 0; }' >hello.c
echo '#include <iostream>
int main() { std::cout << "hello" << std::endl; }' >hello.cpp
for way in -static -dynamic; do
    works "C $way" "$tree/bin/kontain-gcc" $way -o hello hello.c
    works "C++ $way" "$tree/bin/kontain-g++" $way -o hello-cxx hello.cpp
    for program in hello hello-cxx; do
        if [ -n "$RUN" ]; then
            is "$program $way" "$("$tree/bin/km" ./$program)" hello
        else
            is "$program $way" "$(./$program)" hello
        fi
    done
done

# The bill of materials.
bill=one/$name.spdx.json
works "it is in the archive" cmp $bill "$tree/share/km/km.spdx.json"
is "its kind" "$(jq -r .spdxVersion $bill)" SPDX-2.3
is "all is related" "$(jq -r '(.packages | map(.SPDXID) | sort) == (.relationships | map(.relatedSpdxElement) | unique)' $bill)" true
is "each has a licence" "$(jq -r '.packages[] | select(.licenseDeclared | length < 3) | .name' $bill)" ""
is "of others than crates" "$(jq -r '.packages[] | .externalRefs[0].referenceLocator // "" | select(startswith("pkg:deb")) |
    sub("@.*"; "") | sub(".*/"; "") | sub("-[0-9]*$"; "")' $bill | sort | tr '\n' ' ')" "gcc glibc linux musl "
jq -r '.packages[] | select((.externalRefs[0].referenceLocator // "") | startswith("pkg:cargo/")) |
    "\(.name) \(.versionInfo) \(.checksums[0].checksumValue)"' $bill | sort >listed
sed -n 's/^name = "\(.*\)"/\1/p; s/^version = "\(.*\)"/\1/p; s/^checksum = "\(.*\)"/\1\n/p; /^\[\[package/s/.*//p' "$top/Cargo.lock" |
    awk 'BEGIN { RS = ""; OFS = " " } NF == 3 { print $1, $2, $3 }' | sort >locked
is "with the checksums of Cargo.lock" "$(comm -23 listed locked)" ""
# What km's own crates ask for, and every crate that has left the path of its source in km.
wanted=$(sed -n '/^\[dependencies\]/,/^$/s/^\([a-z_-]*\)\.workspace.*/\1/p' "$top/km/Cargo.toml" "$top/krun/Cargo.toml" "$top/nsm/Cargo.toml" |
    grep -v '^km-')
left=$(grep -aoE '(registry/src/[^/]*|/crates)/[a-z0-9_-]+-[0-9]+\.[0-9][^/]*/src' "$KM" | sed 's|/src$||; s|.*/||; s|-\([0-9]*\.[0-9]\)| \1|' | sort -u)
is "asked for" "$(for crate in $wanted; do grep -q "^$crate " listed || echo "$crate"; done)" ""
is "seen in km" "$(echo "$left" | while read -r crate; do grep -q "^$crate " listed || echo "$crate"; done)" ""
is "some are" "$([ "$(echo "$left" | wc -l)" -gt 10 ] && echo yes)" yes
is "their texts" "$(jq -r '.packages[] | select(.SPDXID | test("-(km|runtime|archive)$") | not) | "\(.name)-\(.versionInfo)"' $bill |
    while read -r part; do [ -n "$(ls "$tree/share/km/licences/$part" 2>/dev/null)" ] || echo "$part"; done)" ""
finish
