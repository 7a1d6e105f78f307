# make install and make uninstall: what is installed works wherever it is put,
# and what is not km's stays as it is.
# km-test: needs=namespaces
. "$(dirname "$0")/../servers/lib.sh"

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${KONTAIN%/kontain}
export TMPDIR=$PWD
# Nothing is built here.
makes() { make -s --no-print-directory -C "$top" -o km -o krun -o runtime -o notices BUILD="$build" KM="$KM" "$@"; }
# says_first WORDS TARGET...: it fails, and its first line is this.
says_first() {
    local words=$1
    shift
    makes "$@" >said 2>&1
    is "$*: its status" $? 2
    is "$*" "$(head -n 1 said)" "$words"
}
# State of a folder, to the byte.
sum() { (cd "$1" && find . -printf '%p %y %m %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum; }

cat >hello.c <<'END_C'
#include <stdio.h>
int hello(void);
int main(void) { return hello(); }
END_C
echo 'int puts(const char *); int hello(void) { return puts("hello") < 0; }' >part.c
cat >hello.cpp <<'END_C'
#include <iostream>
#include <stdexcept>
int main() { try { throw std::runtime_error("thrown"); } catch (std::exception &e) { std::cout << e.what() << std::endl; } }
END_C

# compiles FOLDER PLACE OPTION...: its compilers are of use, and what they make runs with the runtime of PLACE.
compiles() {
    local bin=$1/bin place=$2 run=$RUN
    shift 2
    # The monitor that was installed.
    [ -z "$RUN" ] || run=$bin/km
    works "C, static" "$bin/kontain-gcc" "$@" -O2 -o static hello.c part.c
    works "C++, static" "$bin/kontain-g++" "$@" -O2 -o static-cxx hello.cpp
    works "a library" "$bin/kontain-gcc" "$@" -shared -fPIC -o libpart.so part.c
    works "C, dynamic" "$bin/kontain-gcc" "$@" -dynamic -o dynamic hello.c -L. -lpart -Wl,-rpath,"$PWD"
    works "C++, dynamic" "$bin/kontain-g++" "$@" -dynamic -o dynamic-cxx hello.cpp
    is "the linker" "$(LC_ALL=C readelf -lW dynamic | sed -n 's/.*interpreter: \(.*\)]/\1/p')" "$place/runtime/libc.so"
    for way in static dynamic; do
        is "$way runs" "$($run ./$way)" "hello"
        is "$way runs in C++" "$($run ./$way-cxx)" "thrown"
    done
    "$bin/kontain-gcc" -c part.c && works "an archive" "$bin/kontain-ar" rcs libpart.a part.o
    works "strip" "$bin/kontain-strip" static
}

# The pinned place.
mount -t tmpfs -o mode=755 tmpfs /opt
is "where it is" "$(makes install)" "km is in /opt/kontain/bin"
is "what is there" "$(cd /opt/kontain && echo ./* bin/*)" \
    "./bin ./include ./lib ./runtime ./share bin/km bin/km-docker-config bin/kontain-ar bin/kontain-g++ bin/kontain-gcc bin/kontain-strip bin/krun"
compiles /opt/kontain /opt/kontain
installed=$(sum /opt/kontain)
works "once more" makes install
is "it is the same" "$(sum /opt/kontain)" "$installed"
ln -s /opt/kontain/bin/kontain-gcc linked
works "by another name" ./linked -dynamic -o dynamic hello.c part.c
is "the linker" "$(LC_ALL=C readelf -lW dynamic | sed -n 's/.*interpreter: \(.*\)]/\1/p')" "/opt/kontain/runtime/libc.so"
works "the Python module" env PYTHONPATH=/opt/kontain/lib/python python3 -c 'import kontain'
works "uninstall" makes uninstall
is "what is left" "$(ls -A /opt)" ""

# Below a folder, and then elsewhere.
umask 077
works "DESTDIR" makes install DESTDIR="$PWD/stage"
umask 022
is "the same tree" "$(sum stage/opt/kontain)" "$installed"
compiles "$PWD/stage/opt/kontain" "$PWD/stage/opt/kontain"
mv stage/opt/kontain moved
compiles "$PWD/moved" "$PWD/moved"
ln -s "$PWD/moved" /opt/kontain
compiles "$PWD/moved" /opt/kontain --prefix=/opt/kontain
compiles /opt/kontain /opt/kontain
rm /opt/kontain

# What others put there stays; what an earlier version put there does not.
mkdir -p other/bin && echo mine >other/bin/mine && chmod 700 other/bin
before=$(sum other)
works "PREFIX" makes install PREFIX="$PWD/other"
compiles "$PWD/other" "$PWD/other"
echo mine >other/lib/libmine.so
mkdir other/include/mine other/lib/ancient
echo old >other/lib/ancient/old.so
printf 'lib/ancient/old.so\nlib/ancient/\n' >>other/share/km/files
works "over it" makes install PREFIX="$PWD/other"
is "of an earlier version" "$(ls -d other/lib/ancient 2>/dev/null)" ""
is "of others" "$(cat other/bin/mine other/lib/libmine.so)" "mine
mine"
is "uninstall" "$(makes uninstall PREFIX="$PWD/other")" "in $PWD/other is left what is not of km"
is "left" "$(cd other && find . -type f | sort | tr '\n' ' ')" "./bin/mine ./lib/libmine.so "
rm -r other/lib other/include
is "as it was" "$(sum other)" "$before"

# Several at once.
for each in 1 2 3; do
    makes install PREFIX="$PWD/at-once" >said.$each 2>&1 &
done
wait
is "at once" "$(sort -u said.[123])" "km is in $PWD/at-once/bin"
works "uninstall" makes uninstall PREFIX="$PWD/at-once"
is "what is left" "$(ls -d at-once 2>/dev/null)" ""

# Where there is no room for the new, the old stays whole.
mkdir small && mount -t tmpfs -o size=$(($(du -sk moved | cut -f 1) * 3 / 2))k tmpfs small
works "little room" makes install PREFIX="$PWD/small/km"
before=$(sum small/km)
cp small/km/share/km/files listed
works "no room" fails makes install PREFIX="$PWD/small/km"
is "it says" "$(makes install PREFIX="$PWD/small/km" 2>&1 | grep ^install:)" "install: cannot write all of $PWD/small/km"
cp listed small/km/share/km/files
is "what was there" "$(sum small/km)" "$before"
works "uninstall" makes uninstall PREFIX="$PWD/small/km"
is "what is left" "$(ls -A small)" ""
umount small

# What is behind a link stays, whether or not the folder that was there is in the list.
mkdir -p behind links/bin
echo theirs | tee behind/data >behind/kontain.their.pyc
before=$(sum behind)
works "into a folder that was there" makes install PREFIX="$PWD/links"
printf 'd/data\nlib/old/data\nlib/old/\n' >>links/share/km/files
for path in d lib/old lib/python/__pycache__; do
    ln -s "$PWD/behind" links/$path
    says_first "uninstall: $PWD/links/$path is a link: what is behind it is not touched" uninstall PREFIX="$PWD/links"
    [ $path = lib/python/__pycache__ ] ||
        says_first "install: $PWD/links/$path is a link: what is behind it is not touched" install PREFIX="$PWD/links"
    rm links/$path
done
mv links/bin bin && ln -s ../bin links/bin
for what in install uninstall; do
    says_first "$what: $PWD/links/bin is a link: what is behind it is not touched" $what PREFIX="$PWD/links"
done
is "it stays" "$(ls bin)" "$(ls moved/bin)"
rm links/bin && mv bin links/bin
ln -s "$PWD/behind/data" links/share/km/files.new
works "beside a link" makes install PREFIX="$PWD/links"
is "uninstall" "$(makes uninstall PREFIX="$PWD/links")" "in $PWD/links is left what is not of km"
is "left" "$(cd links && find . ! -type d)" "./share/km/files.new"
is "what is behind" "$(sum behind)" "$before"

# What will not do is said in a line, and nothing has changed.
says_first 'install: PREFIX must be an absolute path, not "here"' install PREFIX=here
says_first 'uninstall: PREFIX must be an absolute path, not "here"' uninstall PREFIX=here
says_first 'install: PREFIX must be an absolute path, not ""' install PREFIX= DESTDIR=/run/work
says_first 'install: DESTDIR must be an absolute path, not "here"' install DESTDIR=here
says_first "install: a path with spaces or special characters will not do: \"/opt/it's here\"" \
    install PREFIX="/opt/it's here"
for folder in / /usr /usr/local /usr/local/../local/; do
    plain=$(realpath -m "$folder")
    for below in "" "$PWD/stage"; do
        says_first "install: $plain belongs to the system: PREFIX must be a folder of km's own" \
            install PREFIX=$folder DESTDIR="$below"
    done
done
says_first "install: /usr/local belongs to the system: PREFIX must be a folder of km's own" install PREFIX=/local DESTDIR=/usr
mkdir -p full/lib && echo mine >full/lib/libstdc++.so
says_first "install: $PWD/full/lib is there and not of km: PREFIX must be a folder of km's own" install PREFIX="$PWD/full"
says_first "uninstall: km is not installed in $PWD/full: there is no $PWD/full/share/km/files" uninstall PREFIX="$PWD/full"
is "it stays" "$(find full | sort | tr '\n' ' ')" "full full/lib full/lib/libstdc++.so "
mkdir -p taken/bin && echo mine >taken/bin/km
says_first "install: $PWD/taken/bin/km is there and not of km: move it away" install PREFIX="$PWD/taken"
is "it stays" "$(find taken | sort | tr '\n' ' ')" "taken taken/bin taken/bin/km "
says_first "install: cannot make $PWD/hello.c/km: $PWD/hello.c is not a folder" install PREFIX="$PWD/hello.c/km"
mkdir fixed && mount -t tmpfs -o ro tmpfs fixed
says_first "install: cannot write to $PWD/fixed" install PREFIX="$PWD/fixed/km"
umount fixed
mkdir -p false/share/km && echo ../hello.c >false/share/km/files
says_first "uninstall: $PWD/false/share/km/files is damaged" uninstall PREFIX="$PWD/false"
is "it stays" "$(ls hello.c)" hello.c
finish
