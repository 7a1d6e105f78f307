title 'a program'
status payload "$folder/check.lua" one 'two words'

title 'from standard input'
echo 'print("1 + 1 =", 1 + 1)' | payload -

title 'options'
payload -e 'print(("km"):rep(3, "-"))'
payload -W -e 'warn("a warning")'

title 'errors'
status payload -e 'error("stop here", 0)' 2>&1 | sed -e 's/^.*lua.km: //' -e '/^stack/d' -e '/^	/d'
status payload -e 'os.exit(7)'
payload -e 'return 1 +' 2>&1 | sed -e 's/^[^:]*: //'

title 'interactive'
printf 'x = 6\nprint(x * 7)\n' | payload -i 2>&1 | grep -o '42'
