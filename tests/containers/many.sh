# Fifty containers at once; nothing is left of them.
# km-test: needs=root,namespaces,/usr/sbin/dockerd,/usr/bin/crun,build/containers/rootfs.tar
. "$(dirname "$0")/lib.sh"

number=50
docker_starts
for i in $(seq $number); do
    docker run --detach --runtime "$runtime" --network none --name "c$i" debian \
        sh -c "trap 'exit 0' TERM; echo one \$(expr $i \* 2); while :; do sleep 1; done" >/dev/null &
    started="${started-} $!"
    # A few at a time, as an engine would be asked.
    [ $((i % 5)) -ne 0 ] || wait $started
done
wait $started
is "at once" "$(docker ps --quiet | wc -l)" $number
spoken() {
    local i
    for i in $(seq $number); do
        [ "$(docker logs "c$i" 2>&1)" = "one $((i * 2))" ] || return 1
    done
}
eventually "all have spoken" spoken
is "exec in one" "$(docker exec c17 echo yes)" yes
docker ps --quiet | xargs docker kill --signal TERM >/dev/null
is "their ends" "$(seq -f c%g $number | xargs docker wait | sort | uniq -c | tr -d '\n')" "     $number 0"
seq -f c%g $number | xargs docker rm >/dev/null
docker_stops
finish
