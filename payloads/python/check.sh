dynamic() { timeout --foreground 120 ${run%python.km}dynamic/bin/python3.11 "$@"; }

# A static program loads no libraries, so that it has no use for ctypes.
title 'many modules, static'
status payload "$folder/check.py" numbers texts compression database files threads processes web secrecy screens faults

title 'many modules, loaded'
rm -rf check.db copied
status dynamic "$folder/check.py"

title 'what is within, and what is loaded'
payload -c 'import sys, _ssl, math; print(len(sys.builtin_module_names) > 90, hasattr(math, "__file__"))'
dynamic -c 'import _ssl, math, sysconfig; print(math.__file__.rpartition("/")[2], sysconfig.get_config_var("SOABI"))'

title 'from the command line, and from standard input'
echo 'print("1 + 1 =", 1 + 1)' | payload -
payload -m json.tool --compact <<'JSON'
{"a": [1, 2, {"b": null}]}
JSON
payload -I -c 'import sys; print(sys.argv, sys.flags.isolated)' one 'two words'
printf 'x = 6\nprint(x * 7)\n' | payload -i -q 2>/dev/null

title 'errors'
status payload -c 'import sys; sys.exit(5)'
status payload -c 'int("x")' 2>&1
status payload -c 'import os; os.abort()' 2>&1 | tail -n 1
status payload "$folder/missing.py" 2>&1 | sed -e 's/^.*can.t open file.*: //'

title 'an environment of its own'
payload -m venv --without-pip environment
ls environment/bin | head -n 3
