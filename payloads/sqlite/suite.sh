# SQLite's tests of the kind that the source calls quick, one file at a time. $1 is
# their folder, $2 that of Tcl's library.
files=${ONLY:-alter attach autovacuum backup badutf bigrow busy capi2 check collate1 collate2 colname corrupt crash \
    crash2 createtab date delete descidx1 distinct enc exclusive expr fkey2 fts3aa fts3ab fts3expr func hook in incrblob \
    index insert interrupt intpkey io join journal1 json101 like limit lock lock2 lock4 lock5 main memdb misc1 mmap1 \
    multiplex notnull null pager1 pragma printf quote randexpr1 rollback rowid savepoint schema select1 select2 select3 \
    select4 select5 select6 shared sort stat subquery table tempdb thread001 thread003 threadtest3 trace trans trigger1 \
    trigger2 types unionvtab unique update upsert1 utf16align vacuum vacuum2 view vtab1 wal wal2 wal3 where where2 \
    window1 with1 without_rowid1 zeroblob}
export TCL_LIBRARY="$2"

for file in $files; do
    [ -e "$1/$file.test" ] || continue
    mkdir "$file"
    # shellcheck disable=SC2086 # the words of $run
    (cd "$file" && timeout 600 $run "$1/$file.test" >../"$file.log" 2>&1)
    # A test is told of by "NAME... Ok"; one that fails by "! NAME expected".
    sed -n -e 's/^\([^ ]*\)\.\.\. Ok$/ok \1/p' -e 's/^! \([^ ]*\) expected:.*/failed \1/p' "$file.log"
    grep -q '^[0-9]* errors out of [0-9]* tests' "$file.log" && echo "ok $file as a whole" ||
        echo "failed $file as a whole"
    rm -rf "$file"
done
