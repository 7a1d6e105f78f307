port=$((20000 + $$ % 10000))
url=http://127.0.0.1:$port
mkdir -p www/below
echo '<p>hello</p>' >www/index.html
seq 30000 >www/numbers.txt
echo text >www/below/note

get() { curl --silent --max-time 20 "$url/$1"; }
# ask WAY PATH OPTION...: the answer, and its status.
ask() {
    way=$1
    path=$2
    shift 2
    curl --silent --max-time 20 --request "$way" --write-out '%{http_code}\n' "$@" "$url/$path"
}

title 'eight threads'
serve "$port" www 8 >log
server=$!
await log serving
cat log

title 'files'
get index.html
get ''
get below
get numbers.txt | cmp - www/numbers.txt && echo same
ask GET nothing
ask GET ../check.sh --path-as-is
ask GET %2e%2e/check.sh

title 'the store'
ask PUT store/note --data 'a text'
ask GET store/note
ask POST store/note --data ', and more'
ask GET store/note
ask DELETE store/note
ask GET store/note
ask PATCH store/note

title 'threads of their own'
get 'primes?below=200000'
get 'sort?count=200000&seed=7'
curl --silent --data 'the cat and the dog and the bird' "$url/words"

title 'exceptions'
for how in none range variant optional file; do
    ask GET "fail?how=$how"
done
ask GET 'primes?below=many'
ask GET 'primes?below=99999999999999999999'
ask GET 'sort?count=0'
ask POST index.html --data x

title 'what is no request'
printf 'nonsense\r\n\r\n' | curl --silent --max-time 20 "telnet://127.0.0.1:$port" | tr -d '\r'

title 'many at once'
for client in 1 2 3 4 5 6 7 8; do
    (for i in $(seq 15); do curl --silent --max-time 20 --data "$client" "$url/store/sum$client"; done) >"client$client" &
    clients="${clients-} $!"
done
# shellcheck disable=SC2086 # a word a process
wait $clients
cat client* | sort -n | uniq -c
ab -q -k -n 500 -c 8 "$url/index.html" 2>&1 | grep -E '^(Complete requests|Failed requests)'

title 'a second one has no port'
status payload "$port" www 2>&1 | sed 's/^server: the port.*/server: the port is taken/'
status payload 2>&1

title 'the end'
kill -TERM "$server"
wait "$server"
echo "exit status $?"
cat log
