// What Go's runtime asks of its surroundings: threads of its own, preemption by
// SIGURG, a concurrent collector, faults made into panics, processes, a poller.
// Each argument is a check; without any, all are made.
package main

import (
	"fmt"
	"os"
	"sort"
)

var checks = map[string]func() error{
	"channels":   channels,
	"collector":  collector,
	"faults":     faults,
	"locks":      locks,
	"network":    network,
	"preemption": preemption,
	"processes":  processes,
	"signals":    signals,
	"threads":    threads,
	"timers":     timers,
}

func main() {
	names := os.Args[1:]
	if len(names) == 0 {
		for name := range checks {
			names = append(names, name)
		}
		sort.Strings(names)
	}
	failed := 0
	for _, name := range names {
		check, known := checks[name]
		if !known {
			fmt.Println("no check", name)
			os.Exit(2)
		}
		if err := check(); err != nil {
			fmt.Println("FAIL", name, err)
			failed = 1
		} else {
			fmt.Println("ok", name)
		}
	}
	os.Exit(failed)
}
