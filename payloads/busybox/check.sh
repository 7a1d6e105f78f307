# Tools of busybox that need one process each; pipes are the host shell's.

title 'uname tells the host'
[ "$(payload uname -srm)" = "$(uname -srm)" ] && echo same

title 'applets'
for applet in ash awk gzip ls sed sh sha256sum sort tar vi wget; do
    payload --list | grep -x "$applet"
done

title 'awk writes a file'
payload awk 'BEGIN { for (i = 1; i <= 20000; i++) printf "%d %d line %d\n", (i * 7919) % 20011, i * i, i }' >lines
payload wc lines

title 'sha256sum, sha512sum, md5sum, cksum'
payload sha256sum lines
payload sha512sum lines
payload md5sum lines
payload cksum lines
payload sha256sum <lines

title 'awk adds up'
payload awk '{ sum += $2; if ($1 > most) most = $1 } END { printf "%d lines, sum %.0f, most %d, mean %.3f\n", NR, sum, most, sum / NR }' lines
payload awk 'BEGIN { printf "%.6f %.6f %.6f\n", sin(1), exp(1), sqrt(2) }'

title 'sort, uniq, cut, head, tail, tr'
payload sort -n lines | payload head -n 3
payload sort -rn lines | payload tail -n 2
payload cut -d ' ' -f 1 lines | payload sort -n | payload uniq | payload wc -l
echo 'Hello' | payload tr 'a-zH' 'A-Zh'

title 'grep and sed'
status payload grep -c '01 line' lines
status payload grep nothing lines
payload sed -n -e 's/^\([0-9]*\) .* line 777$/first of 777: \1/p' lines

title 'files and directories'
payload mkdir -p tree/a/b
payload cp lines tree/a/lines
payload ln -s a/lines tree/link
payload ln tree/a/lines tree/a/b/hard
echo text | payload tee tree/note >/dev/null
payload chmod 640 tree/note
payload touch -d '2001-02-03 04:05:06' tree/note tree/a/lines
payload touch -h -d '2001-02-03 04:05:06' tree/link
payload ls tree tree/a
payload readlink tree/link
payload stat -c '%n %s %a %h %F' tree/note tree/a/b/hard tree/link
payload find tree -type f | payload sort
payload cmp tree/a/b/hard lines && echo same
status payload rmdir tree/a

title 'ls -l'
payload ls -ln tree/note tree/link tree/a/lines | sed -e "s/ $(id -u)  *$(id -g) / UID GID /"

title 'tar, gzip, bzip2'
payload tar -cf tree.tar tree
payload tar -tf tree.tar | payload sort
mkdir unpacked
payload tar -xf tree.tar -C unpacked
diff -r tree unpacked/tree && echo same
payload gzip -c lines >lines.gz
gzip -dc lines.gz | cmp - lines && echo same
payload gunzip -c lines.gz | payload cmp - lines && echo same
payload bzip2 -c lines >lines.bz2
payload bunzip2 -c lines.bz2 | payload cmp - lines && echo same

title 'dd, od, xxd, base64'
payload dd if=lines bs=1000 skip=3 count=2 2>/dev/null | payload md5sum
payload dd if=/dev/zero bs=65536 count=64 2>/dev/null | payload sha1sum
printf 'km\000\377' | payload od -A x -t x1
printf 'a small machine' | payload xxd -p
printf 'a small machine' | payload base64 | payload base64 -d && echo

title 'bc, dc, expr, factor, seq'
echo '2 ^ 200' | payload bc
echo '20 k 2 v p' | payload dc
payload expr 6 '*' 7
payload factor 18446744073709551557
payload seq -s ' ' 10

title 'date'
payload date -u -d @1000000000 '+%Y-%m-%d %H:%M:%S'

title 'env, pwd, id'
payload env | grep -x 'TERM=vt100'
[ "$(payload pwd)" = "$(pwd)" ] && echo same
[ "$(payload id)" = "$(id)" ] && echo same

title 'sh, builtins alone'
payload sh -c 'n=0; while [ $n -lt 1000 ]; do n=$((n + 1)); done; echo "$n $# $1"' sh one
printf 'read a\nfor i in 1 2 3; do echo "$i$a"; done\n' >script
echo x | payload sh script
status payload sh -c 'exit 42'
status payload sh -c 'echo err >&2; exit 3'

title 'exit statuses and errors'
status payload true
status payload false
status payload test 3 -gt 4
status payload cat missing
status payload ls missing
status payload nosuchapplet

title 'vi in a terminal'
printf 'first line\nsecond line\nthird line\n' >text
# An escape with another key close behind it is an Alt key to vi.
{
    await screen 'text 1/3'
    printf 'jdwiedited \033'
    sleep 0.5
    printf 'Gothe end\033'
    sleep 0.5
    printf ':1s/first/1st/\r:wq\r'
} | terminal "$run vi text"
cat text
