// Go and C in one process: calls both ways, on threads of both.
package main

/*
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

extern int goDouble(int);

static int twice(int n) { return 2 * n; }
static int call_back(int n) { return goDouble(n) + 1; }

static void *body(void *arg) { *(int *)arg = goDouble(*(int *)arg); return NULL; }

// A thread that Go did not make calls into Go.
static int from_a_thread(int n)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, body, &n) || pthread_join(thread, NULL))
		return -1;
	return n;
}

static __thread int of_thread;
static int count(void) { return ++of_thread; }
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"
)

//export goDouble
func goDouble(n C.int) C.int {
	if n%8 == 0 {
		runtime.GC()
	}
	return 2 * n
}

func main() {
	var group sync.WaitGroup
	wrong := make(chan string, 1000)
	check := func(name string, got, want C.int) {
		if got != want {
			wrong <- fmt.Sprintf("%s: %d, not %d", name, got, want)
		}
	}
	for i := 0; i < 16; i++ {
		group.Add(1)
		go func(n C.int) {
			defer group.Done()
			for j := C.int(0); j < 20; j++ {
				check("call", C.twice(n+j), 2*(n+j))
				check("call back", C.call_back(n+j), 2*(n+j)+1)
			}
			check("from a thread", C.from_a_thread(n), 2*n)
			runtime.LockOSThread()
			first := C.count()
			check("of the thread", C.count(), first+1)
		}(C.int(i))
	}
	group.Wait()
	text := C.CString("from C")
	fmt.Println(C.GoString(text), C.strlen(text))
	C.free(unsafe.Pointer(text))
	var nothing *C.int
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		fmt.Println(*nothing)
	}()
	close(wrong)
	failed := 0
	for text := range wrong {
		fmt.Println("FAIL", text)
		failed = 1
	}
	fmt.Println("done")
	os.Exit(failed)
}
