title 'each check alone'
for name in channels files locks memory network panics processes threads; do
    status payload "$name"
done

title 'all in one process'
payload channels files locks memory network panics processes threads >together
grep -c . together
grep -c failed together

title 'wrong arguments'
status payload nothing
