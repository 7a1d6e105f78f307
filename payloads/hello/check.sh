# shellcheck shell=sh disable=SC2154
title 'the greeting'
status payload
title 'another'
status payload --greeting='Hello from ring 3'
title 'the traditional one'
status payload --traditional
title 'version'
payload --version | sed -n 1p
title 'a word too many'
status payload extra 2>&1 | sed -e 's/^.*hello.km: //' -e '/^Usage/d' -e '/^ /d'
title 'nowhere to write'
full() { payload >/dev/full; }
status full 2>&1 | sed 's/^.*hello.km: //'
