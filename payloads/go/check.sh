title 'each check alone'
for name in channels collector faults locks network preemption processes signals threads timers; do
    status payload "$name"
done

title 'all in one process'
payload channels collector faults locks network processes signals threads timers

title 'one processor, and an eager collector'
GOMAXPROCS=1 GOGC=1 payload channels collector

title 'wrong arguments'
status payload nothing

title 'Go and C'
status ${run%goroutines.km}cgo.km
