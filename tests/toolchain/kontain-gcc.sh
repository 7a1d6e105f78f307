# kontain-gcc and kontain-g++: what they build runs natively and under km.
# km-test: needs=namespaces
. "$(dirname "$0")/../servers/lib.sh"

PATH=$KONTAIN/bin:$PATH
kind() { LC_ALL=C readelf -hlW "$1" | sed -n 's/^ *Type: *\([A-Z]*\) .*/\1/p; s/.*interpreter: \(.*\)]/\1/p' | tr '\n' ' '; }

cat >main.c <<'END'
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
int twice(int);
static void *run(void *arg) { printf("thread %d\n", twice(*(int *)arg)); return NULL; }
int main(int argc, char **argv)
{
    pthread_t id;
    int n = argc > 1 ? atoi(argv[1]) : 4;
    pthread_create(&id, NULL, run, &n);
    pthread_join(id, NULL);
    printf("%.3f\n", sqrt(n));
    return n;
}
END
echo 'int twice(int x) { return 2 * x; }' >twice.c

works "compile" kontain-gcc -O2 -Wall -c main.c twice.c
for way in "" "-pie" "-alpine" "-alpine -pie"; do
    works "static $way" kontain-gcc -static $way -o static main.o twice.o -lm -lpthread
    is "its kind" "$(kind ./static)" "$(case $way in *-pie) echo 'DYN ' ;; *) echo 'EXEC ' ;; esac)"
    is "prints" "$($RUN ./static 4)" "thread 8
2.000"
    $RUN ./static 9 >/dev/null
    is "its status" $? 9
done

works "a library" kontain-gcc -shared --prefix="$KONTAIN" -fPIC -o libtwice.so twice.c
for way in "" "-pie"; do
    works "dynamic $way" kontain-gcc -dynamic $way --prefix="$KONTAIN" -o dynamic main.o -L. -ltwice -Wl,-rpath,"$PWD" -lm
    is "its kind" "$(kind ./dynamic)" "$(case $way in -pie) echo DYN ;; *) echo EXEC ;; esac) $KONTAIN/runtime/libc.so "
    is "prints" "$($RUN ./dynamic 4)" "thread 8
2.000"
done
is "where it looks" "$(readelf -d dynamic | sed -n 's/.*runpath: \[\(.*\)]/\1/p')" "$PWD:$KONTAIN/lib:$KONTAIN/runtime"
works "relocatable" kontain-gcc -r -o both.o main.o twice.o
works "of it" kontain-gcc -o of-both both.o -lm
is "prints" "$($RUN ./of-both 4)" "thread 8
2.000"

cat >throw.cpp <<'END'
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
struct Base { virtual ~Base() = default; };
struct Derived : Base { int value = 42; };
thread_local int local = 1;
int main()
{
    try {
        std::map<std::string, int>().at("nothing");
    } catch (const std::out_of_range &error) {
        std::cout << "caught " << error.what() << std::endl;
    }
    Base *base = new Derived;
    std::cout << dynamic_cast<Derived *>(base)->value << std::endl;
    std::thread([] { local++; std::cout << "thread " << local << std::endl; }).join();
    try {
        dynamic_cast<Derived &>(*new Base);
    } catch (const std::bad_cast &) {
        std::cout << "bad cast" << std::endl;
    }
    std::locale::global(std::locale("C"));
    std::cout << local << ' ' << std::stod("2.5") << std::endl;
}
END
cxx="caught map::at
42
thread 2
bad cast
1 2.5"
for way in "-static" "-static -pie" "-dynamic --prefix=$KONTAIN"; do
    works "C++ $way" kontain-g++ -O2 -std=c++17 $way -o cxx throw.cpp
    is "prints" "$($RUN ./cxx)" "$cxx"
done

cat >inside.c <<'END'
#include <errno.h>
#include <kontain.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    struct kontain_info info;
    struct kontain_stats stats;
    int inside = argc > 1, failed = 0;
    failed += kontain_is_running() != inside;
    failed += (kontain_version()[0] != 0) != inside;
    failed += (kontain_info(&info) == 0) != inside;
    if (inside)
        failed += info.abi != KONTAIN_ABI || strcmp(info.version, kontain_version()) != 0;
    errno = 0;
    failed += kontain_stats(&stats) == 0 || errno != (inside ? ENODATA : ENOSYS);
    struct kontain_nsm_message message = {0};
    failed += kontain_nsm(&message) == 0 || errno != (inside ? ENODEV : ENOSYS);
    printf("%d\n", failed);
    return failed;
}
END
for way in "-static" "-dynamic --prefix=$KONTAIN"; do
    works "libkontain $way" kontain-gcc $way -o inside inside.c -lkontain
    is "prints" "$($RUN ./inside $RUN)" "0"
done
cat >inside.py <<'END'
import sys, kontain
print(kontain.is_running() == (len(sys.argv) > 1), (kontain.version() or "") != "", file=sys.stderr)
sys.exit(kontain.is_running() != (len(sys.argv) > 1))
END
PYTHONPATH=$KONTAIN/lib/python works "the Python module" $RUN /usr/bin/python3 inside.py $RUN

# What is wrong is said in a line.
is "a relative prefix" "$(kontain-gcc --prefix=here main.o 2>&1)" "kontain-gcc: --prefix=DIR needs an absolute path"
is "both at once" "$(kontain-gcc -static -dynamic main.o 2>&1)" "kontain-gcc: -static and -dynamic exclude each other"
is "no compiler" "$(KONTAIN_GCC=gcc-0 kontain-gcc main.o 2>&1)" \
    "kontain-gcc: gcc-0 is not installed: kontain-gcc uses the machine's"
mkdir -p alone/bin && cp "$KONTAIN/bin/kontain-gcc" alone/bin/
is "no C library" "$(alone/bin/kontain-gcc main.o 2>&1)" \
    "kontain-gcc: no runtime at $PWD/alone/runtime: kontain-gcc belongs into bin beside it ('make runtime' builds it)"
printf '#!/bin/sh\n[ "$1" = -dumpversion ] && echo 99.1\n' >g++-99 && chmod +x g++-99
is "another compiler" "$(KONTAIN_GXX=./g++-99 kontain-g++ throw.cpp 2>&1)" \
    "kontain-g++: the C++ library is that of g++ $(g++ -dumpversion), and ./g++-99 is version 99: KONTAIN_GXX=g++-$(g++ -dumpversion)"
is "machine" "$(kontain-gcc -dumpmachine)" "x86_64-linux-musl"
printf '#include <stdio.h>\nint main(int c, char **v) { char b[8]; sprintf(b, "%%d", c); return puts(b) + !v; }\n' >fortified.c
/usr/bin/gcc -O2 -D_FORTIFY_SOURCE=2 -c fortified.c
is "an object for glibc" "$(kontain-gcc -o fortified fortified.o 2>&1 | tail -n 1)" \
    "kontain-gcc: an object was compiled for glibc (it wants __sprintf_chk): compile it with kontain-gcc"
if [ -n "$RUN" ]; then
    mount -t tmpfs tmpfs /opt
    for place in /opt/kontain /nowhere/kontain; do
        kontain-gcc -dynamic --prefix=$place -o lost main.o twice.o -lm
        is "no runtime" "$($RUN ./lost 2>&1)" \
            "km: ./lost: its interpreter $place/runtime/libc.so: No such file or directory (km's runtime is not installed there: make install)"
        $RUN ./lost 2>/dev/null
        is "its status" $? 127
    done
    printf '\10\0\0\0\4\0\0\0\1\0\0\0kontain\0\2\0\0\0' >note
    mkdir -p newer/runtime
    remedy="install km and its runtime anew, then link it again"
    objcopy --update-section .note.kontain=note "$KONTAIN/runtime/libc.so" newer/runtime/libc.so
    kontain-gcc -dynamic --prefix="$PWD/newer" -o newest main.o twice.o -lm
    is "a runtime of another version" "$($RUN ./newest 2>&1)" \
        "km: ./newest: its interpreter $PWD/newer/runtime/libc.so: cannot be executed: built for version 2 of km's C library, and this km has version 1: $remedy"
    $RUN ./newest 2>/dev/null
    is "its status" $? 126
    kontain-gcc -o other main.o twice.o -lm
    objcopy --update-section .note.kontain=note other
    is "another version" "$($RUN ./other 2>&1)" \
        "km: ./other: cannot be executed: built for version 2 of km's C library, and this km has version 1: $remedy"
    $RUN ./other 2>/dev/null
    is "its status" $? 126
else
    for name in "no runtime" "its status" "no runtime" "its status" "a runtime of another version" "its status" \
        "another version" "its status"; do echo "ok $name"; done
fi
finish
