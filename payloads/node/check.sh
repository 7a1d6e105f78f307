program() {
    name=$1
    shift
    payload "$@" "$folder/$name.js"
}

title 'the compiler, and the collector'
program compute

title 'interpreted, and with little memory'
program compute --jitless 2>&1 | sed -n 1,3p
program compute --max-old-space-size=64 --single-threaded | tail -n 6

title 'files, processes, sockets, threads, timers'
status program system 2>&1

title 'from the command line, and from standard input'
payload -p '[process.argv.length, process.platform, process.arch].join()' one two
echo 'console.log("from", process.stdin.isTTY)' | payload -

title 'errors'
status payload -e 'process.exit(7)'
status payload -e 'throw new Error("thrown")' 2>&1 | grep -e '^Error' -e status
status payload -e 'Promise.reject(new TypeError("rejected"))' 2>&1 | grep -e 'TypeError' -e status
status payload "$folder/missing.js" 2>&1 | grep -e '^Error' -e status | sed "s,$folder/,,"
