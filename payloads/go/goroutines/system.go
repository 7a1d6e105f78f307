package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

func caught(work func()) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = value.(error)
		}
	}()
	work()
	return nil
}

// SIGSEGV and SIGFPE become panics, which can be recovered from.
func faults() error {
	var nothing *node
	var zero int
	for i := 0; i < 200; i++ {
		err := caught(func() { nothing.data[1] = 1 })
		if err == nil || !strings.Contains(err.Error(), "nil pointer dereference") {
			return fmt.Errorf("nil: %v", err)
		}
	}
	if err := caught(func() { fmt.Println(1 / zero) }); err == nil || !strings.Contains(err.Error(), "divide by zero") {
		return fmt.Errorf("division: %v", err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	fault := caught(func() { page[7] = 1 })
	address, ok := fault.(interface{ Addr() uintptr })
	if !ok || address.Addr() != uintptr(unsafe.Pointer(&page[7])) {
		return fmt.Errorf("write to a read-only page: %v", fault)
	}
	return syscall.Munmap(page)
}

func processes() error {
	var group sync.WaitGroup
	problems := make(chan error, 20)
	for i := 0; i < cap(problems); i++ {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			command := exec.Command("sh", "-c", fmt.Sprintf("read x; echo $((x * %d)); exit %d", n, n))
			command.Stdin = strings.NewReader("7\n")
			out, err := command.Output()
			if string(out) != fmt.Sprintln(7*n) || command.ProcessState.ExitCode() != n {
				problems <- fmt.Errorf("child %d: %q %v", n, out, err)
			}
		}(i)
	}
	group.Wait()
	close(problems)
	if err := <-problems; err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	err := exec.CommandContext(limit, "sleep", "100").Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		return fmt.Errorf("killed child: %v", err)
	}
	if _, err := exec.Command("/no/such/program").Output(); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("missing program: %v", err)
	}
	return nil
}

func signals() error {
	heard := make(chan os.Signal, 10)
	signal.Notify(heard, syscall.SIGUSR1, syscall.SIGTERM)
	defer signal.Stop(heard)
	for _, number := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGUSR1} {
		if err := syscall.Kill(os.Getpid(), number); err != nil {
			return err
		}
		select {
		case got := <-heard:
			if got != number {
				return fmt.Errorf("%v, not %v", got, number)
			}
		case <-time.After(30 * time.Second):
			return fmt.Errorf("%v was not heard", number)
		}
	}
	signal.Ignore(syscall.SIGHUP)
	return syscall.Kill(os.Getpid(), syscall.SIGHUP)
}

func timers() error {
	begun := time.Now()
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		time.AfterFunc(time.Duration(i%10)*time.Millisecond, group.Done)
	}
	group.Wait()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for i := 0; i < 5; i++ {
		<-ticker.C
	}
	if time.Since(begun) < 9*time.Millisecond || runtime.NumGoroutine() > 20 {
		return fmt.Errorf("%v, %d goroutines", time.Since(begun), runtime.NumGoroutine())
	}
	return nil
}

func network() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				lines := bufio.NewScanner(connection)
				for lines.Scan() {
					fmt.Fprintln(connection, strings.ToUpper(lines.Text()))
				}
			}()
		}
	}()
	problems := make(chan error)
	for i := 0; i < 20; i++ {
		go func(n int) {
			connection, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				problems <- err
				return
			}
			defer connection.Close()
			fmt.Fprintf(connection, "line %d\n", n)
			answer, err := bufio.NewReader(connection).ReadString('\n')
			if err == nil && answer != fmt.Sprintf("LINE %d\n", n) {
				err = fmt.Errorf("answer %q", answer)
			}
			problems <- err
		}(i)
	}
	for i := 0; i < 20; i++ {
		if err := <-problems; err != nil {
			return err
		}
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat(r.URL.Path, 10000))
	})}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go server.Serve(web)
	defer server.Close()
	response, err := http.Get("http://" + web.Addr().String() + "/path")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || len(body) != 50000 {
		return fmt.Errorf("%d bytes, %v", len(body), err)
	}
	return nil
}
