# sshd: logins that run commands, a terminal, copies, a forwarded port.
# km-test: needs=root,namespaces,/usr/sbin/sshd,/usr/bin/ssh,/usr/bin/scp
. "${0%/*}/lib.sh"

# A user of the trial's own, and a root who may log in and has no start-up files.
mount -t tmpfs tmpfs /var/log
mkdir /run/sshd home
for file in passwd shadow; do cp -p /etc/$file .; done
sed -i 's/^root:[^:]*/root:*/' shadow
sed -i "s,^root:.*,root:x:0:0::$PWD:/bin/sh," passwd
echo "km-user:x:4242:4242::$PWD/home:/bin/sh" >>passwd
echo "km-user:*:20000:0:99999:7:::" >>shadow
chown 4242:4242 home
for file in passwd shadow; do mount --bind $file /etc/$file; done

ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f key
cat >config <<SSHD
Port 7051
ListenAddress 127.0.0.1
HostKey $PWD/host
AuthorizedKeysFile $PWD/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
Subsystem sftp internal-sftp
SSHD
options="-F /dev/null -i key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes"
# shellcheck disable=SC2086 # words
login() { timeout 20 ssh $options -p 7051 "$@"; }

serve sshd /usr/sbin/sshd -D -e -f "$PWD/config"
answers() { : >/dev/tcp/127.0.0.1/7051; }
eventually "sshd answers" answers
is "a command" "$(login root@127.0.0.1 'echo $((6 * 7)); id -u')" "42
0"
login root@127.0.0.1 'exit 3' </dev/null
is "its status" $? 3
is "its input" "$(seq 20000 | login root@127.0.0.1 'md5sum')" "$(seq 20000 | md5sum)"
is "another user" "$(login km-user@127.0.0.1 'id -u; id -g; cd; pwd; cat /etc/shadow 2>&1' </dev/null)" "4242
4242
$PWD/home
cat: /etc/shadow: Permission denied"
is "no such user" "$(login nobody-knows@127.0.0.1 true 2>&1 </dev/null | tr -d '\r' | sed 's/.*: //')" \
    "Permission denied (publickey,password,keyboard-interactive)."
is "a terminal" "$(login -tt root@127.0.0.1 'test -t 0 && stty -echo; read line; echo "got $line"' <<<typed | tr -d '\r' |
    grep -c 'got typed')" 1
head -c 300000 /dev/urandom >file
# shellcheck disable=SC2086 # words
for old in "" -O; do
    works "scp $old" timeout 20 scp $options $old -P 7051 file "root@127.0.0.1:$PWD/copy"
    works "the same" cmp file copy
    rm -f copy
done
# shellcheck disable=SC2086 # words
ssh $options -p 7051 -N -L 7052:127.0.0.1:7051 root@127.0.0.1 </dev/null 2>forward.log &
forward=$!
banner() { head -c 7 </dev/tcp/127.0.0.1/7052 | grep -q SSH-2.0; }
eventually "a forwarded port" banner
kill $forward
wait $forward
stop sshd TERM
finish
