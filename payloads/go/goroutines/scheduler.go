package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func channels() error {
	const workers, items = 50, 2000
	work, results := make(chan int), make(chan int, 10)
	var group sync.WaitGroup
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := range work {
				results <- n * n
			}
		}()
	}
	go func() {
		for n := 0; n < items; n++ {
			work <- n
		}
		close(work)
		group.Wait()
		close(results)
	}()
	sum := 0
	for n := range results {
		sum += n
	}
	if want := (items - 1) * items * (2*items - 1) / 6; sum != want {
		return fmt.Errorf("sum %d, not %d", sum, want)
	}
	// A long chain of goroutines, each handing on what it got.
	first := make(chan int)
	last := first
	for i := 0; i < 10000; i++ {
		next := make(chan int)
		go func(from, to chan int) { to <- 1 + <-from }(last, next)
		last = next
	}
	first <- 0
	if n := <-last; n != 10000 {
		return fmt.Errorf("chain of %d", n)
	}
	return nil
}

func locks() error {
	var mutex sync.Mutex
	var readers sync.RWMutex
	var once sync.Once
	var group sync.WaitGroup
	var atomics int64
	total, calls, table := 0, 0, map[int]int{}
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func(me int) {
			defer group.Done()
			once.Do(func() { calls++ })
			for n := 0; n < 5000; n++ {
				atomic.AddInt64(&atomics, 1)
				mutex.Lock()
				total++
				mutex.Unlock()
				if n%50 == me {
					readers.Lock()
					table[n] = n
					readers.Unlock()
				} else {
					readers.RLock()
					_ = table[n]
					readers.RUnlock()
				}
			}
		}(i)
	}
	group.Wait()
	if total != 40000 || atomics != 40000 || calls != 1 || len(table) != 800 {
		return fmt.Errorf("%d %d %d %d", total, atomics, calls, len(table))
	}
	return nil
}

// Loops without a call give way only because a signal makes them.
func preemption() error {
	before := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(before)
	var stop int32
	var spinning sync.WaitGroup
	for i := 0; i < 2; i++ {
		spinning.Add(1)
		go func() {
			defer spinning.Done()
			for x := uint64(1); ; x = x*6364136223846793005 + 1442695040888963407 {
				if x == 0 || atomic.LoadInt32(&stop) != 0 {
					return
				}
			}
		}()
	}
	for i := 0; i < 3; i++ {
		// The collector stops the world, loops and all.
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	atomic.StoreInt32(&stop, 1)
	spinning.Wait()
	return nil
}

// More goroutines in blocking calls than processors: each takes a thread.
func threads() error {
	var group, locked sync.WaitGroup
	ids := make(chan int, 20)
	start := make(chan bool)
	for i := 0; i < cap(ids); i++ {
		group.Add(1)
		locked.Add(1)
		go func(n int) {
			defer group.Done()
			runtime.LockOSThread()
			locked.Done()
			if n%2 == 0 {
				// Ending while locked ends the thread.
				defer runtime.UnlockOSThread()
			}
			<-start
			wait := syscall.Timespec{Nsec: 20_000_000}
			syscall.Nanosleep(&wait, nil)
			ids <- syscall.Gettid()
		}(i)
	}
	locked.Wait()
	close(start)
	group.Wait()
	close(ids)
	seen := map[int]bool{}
	for id := range ids {
		seen[id] = true
	}
	if len(seen) != cap(ids) {
		return fmt.Errorf("%d threads", len(seen))
	}
	return nil
}

type node struct {
	left, right *node
	data        [4]int
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1), data: [4]int{depth}}
}

func (n *node) count() int {
	if n == nil {
		return 0
	}
	return 1 + n.left.count() + n.right.count()
}

func collector() error {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	kept := tree(14)
	var group sync.WaitGroup
	var wrong, finalized int32
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			texts := map[int]string{}
			for n := 0; n < 30; n++ {
				if tree(9).count() != 1023 {
					atomic.AddInt32(&wrong, 1)
				}
				texts[n%7] = fmt.Sprint("text ", n)
				runtime.SetFinalizer(&node{}, func(*node) { atomic.AddInt32(&finalized, 1) })
			}
		}()
	}
	group.Wait()
	var stats runtime.MemStats
	for i := 0; i < 100 && atomic.LoadInt32(&finalized) == 0; i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	runtime.ReadMemStats(&stats)
	if wrong != 0 || kept.count() != 1<<15-1 || stats.NumGC < 3 || finalized == 0 {
		return fmt.Errorf("%d wrong, %d collections, %d finalized", wrong, stats.NumGC, finalized)
	}
	debug.FreeOSMemory()
	return nil
}
