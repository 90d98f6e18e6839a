// SPDX-License-Identifier: Apache-2.0

// Go that calls C that calls Go again, which makes the goroutine's stack grow, and so move, while C
// is on its way.
package main

/*
extern int goCallback(int);
static int __attribute__((noinline)) c_leaf(int n)
{
	volatile int sum = 0;
	for (int i = 0; i < n; i++)
		sum += i;
	return sum;
}
static int __attribute__((noinline)) c_inner(int n) { return goCallback(n) + c_leaf(20000); }
static int __attribute__((noinline)) c_outer(int n) { return c_inner(n) + 1; }
*/
import "C"

import "os"

//go:noinline
func leaf() int {
	sum := 0
	for i := 0; i < 20000; i++ {
		sum += i * i
	}
	return sum
}

//go:noinline
func deep(depth int) int {
	var room [512]byte
	if depth == 0 {
		return leaf()
	}
	room[depth&255] = byte(depth)
	return deep(depth-1) + int(room[depth&255])
}

//export goCallback
func goCallback(n C.int) C.int {
	return C.int(deep(int(n)))
}

//go:noinline
func work(calls int) {
	for i := 0; i < calls; i++ {
		C.c_outer(C.int(i & 63))
	}
}

func main() {
	os.Stdout.WriteString("ready\n")
	go func() {
		for {
			// Each with a small stack of its own.
			done := make(chan bool)
			go func() { work(10); done <- true }()
			<-done
		}
	}()
	for {
		work(100)
	}
}
