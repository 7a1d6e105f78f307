# PostgreSQL's initdb: makes a database by a server of its own.
# km-test: needs=root,namespaces,/usr/lib/postgresql,/usr/bin/setpriv
. "${0%/*}/lib.sh"

bin=$(echo /usr/lib/postgresql/*/bin | cut -d ' ' -f 1)
mkdir data && chown postgres data
serve initdb setpriv --reuid=postgres --regid=postgres --clear-groups \
    "$bin/initdb" -D data -A trust -N --locale=C.UTF-8
ended initdb 0
grep '\.\.\. ok$' initdb.log
is "files of the catalogue" "$(find data/base/1 -name '[1-9]*' | head -n 100 | wc -l)" 100
rm -rf data
finish
