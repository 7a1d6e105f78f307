title 'hello'
status payload Hello
status payload Hello one two 2>&1 | sort

title 'eight threads and the collector of regions'
payload -XX:+UseG1GC -XX:ParallelGCThreads=2 -XX:ConcGCThreads=1 Load

title 'the serial collector, small'
payload -XX:+UseSerialGC -Xmx48m Load

title 'signals that become exceptions'
status payload Faults 2>&1

title 'the same, interpreted, and all compiled at once'
status payload -Xint Faults 2>&1
status payload -Xcomp -XX:TieredStopAtLevel=1 Faults 2>&1

title 'processes, files, sockets, threads'
status payload Processes
