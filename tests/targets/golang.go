// SPDX-License-Identifier: Apache-2.0

// A Go program whose goroutines do what makes Go's stacks special: they move when they grow, hand
// values over, are preempted by signals, collect garbage and read the clock on other stacks, panic,
// and start processes. Two of them also do plain work in a known chain of calls.
package main

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

type node struct {
	left, right *node
}

var sink int

//go:noinline
func inner(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum += i * i
	}
	return sum
}

//go:noinline
func middle(n int) int {
	return inner(n) + 1
}

//go:noinline
func outer(n int) int {
	return middle(n) + 1
}

// Stacks begin with 8 KiB or less: each new goroutine grows its own several times.
//
//go:noinline
func deep(depth int) int {
	var room [256]byte
	if depth == 0 {
		return inner(20000)
	}
	room[depth&255] = byte(depth)
	return deep(depth-1) + int(room[depth&255])
}

//go:noinline
func grow() {
	done := make(chan int)
	go func() { done <- deep(200) }()
	sink += <-done
}

//go:noinline
func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{tree(depth - 1), tree(depth - 1)}
}

//go:noinline
func deferring(n int) (result int) {
	defer func() { result += inner(100) }()
	defer func() {
		if recover() != nil {
			result++
		}
	}()
	if n&1 == 1 {
		panic("odd")
	}
	return n
}

//go:noinline
func echo(in, out chan int) {
	for value := range in {
		out <- value
	}
}

//go:noinline
func talk(in, out chan int) {
	for i := 0; i < 100; i++ {
		in <- i
		<-out
	}
}

//go:noinline
func call() {
	var status syscall.Stat_t
	for i := 0; i < 20; i++ {
		syscall.Stat("/proc/self/status", &status)
		syscall.Getppid()
		time.Now()
	}
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
}

//go:noinline
func spawn() {
	pid, err := syscall.ForkExec("/bin/true", []string{"true"}, nil)
	if err == nil {
		syscall.Wait4(pid, nil, 0, nil)
	}
}

//go:noinline
func forever(work func()) {
	for {
		work()
	}
}

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		for range signals {
		}
	}()
	in, out := make(chan int), make(chan int)
	go echo(in, out)
	for _, work := range []func(){
		func() { sink += outer(20000) },
		grow,
		func() { tree(12) },
		func() { sink += deferring(1) + deferring(2) },
		func() { talk(in, out) },
		call,
		func() { spawn(); time.Sleep(20 * time.Millisecond) },
	} {
		go forever(work)
	}
	go forever(runtime.GC)
	os.Stdout.WriteString("ready\n")
	forever(func() { sink += outer(20000) })
}
