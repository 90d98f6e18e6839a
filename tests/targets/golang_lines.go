// SPDX-License-Identifier: Apache-2.0

// golang_lines [places MAIN | callers MAIN]
//
// Small functions of all kinds that Go inlines. Without arguments the time goes into churn(), which
// is inlined into mix(), and that into work(). The lines that tests look for end in a comment with a
// name.
//
// places: for each address on the standard input, what the runtime says of it: "0xADDRESS", the
// innermost function, "FILE:LINE". callers: the same of all frames of some stacks, each from its
// innermost to its outermost and with "end" behind it. Addresses are ELF addresses; MAIN: that of
// main.main.
package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
)

type mill struct {
	state uint32
}

func churn(seed uint32, rounds int) uint32 { // churn
	for i := 0; i < rounds; i++ {
		seed = seed*1664525 + seed>>7 // innermost
	}
	return seed
}

func (m *mill) mix(rounds int) { // mix
	m.state = churn(m.state, rounds) // call of churn
}

//go:noinline
func work(m *mill) { // work
	m.mix(20000) // call of mix
}

// ---- stacks ----

var slide uint64
var out = bufio.NewWriter(os.Stdout)

func place(address uint64, pc uintptr) {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	fmt.Fprintf(out, "0x%016x\n%s\n%s:%d\n", address, frame.Function, frame.File, frame.Line)
}

type watcher struct {
	count int
}

//go:noinline
func (w *watcher) look() int {
	var pcs [64]uintptr
	for _, pc := range pcs[:runtime.Callers(1, pcs[:])] {
		place(uint64(pc)-1-slide, pc)
	}
	fmt.Fprintln(out, "end")
	w.count++
	return w.count
}

type noter interface {
	note() int
}

type number interface {
	~int | ~float64
}

func (w watcher) copied() int { return w.look() }

func (w *watcher) note() int { return w.look() + 1 }

func larger[T number](w *watcher, a, b T) T {
	if w.note() > 0 && a > b {
		return a
	}
	return b
}

//go:noinline
func generic[T number](w *watcher, a, b T) T { return larger(w, a, b) }

type holder struct {
	watcher
	name string
}

//go:noinline
func call(n noter) int { return n.note() }

//go:noinline
func deferring(w *watcher) (result int) {
	defer func() { result = w.note() }()
	func() {
		defer w.note()
		w.note()
	}()
	panic(w)
}

func recovering(w *watcher) {
	defer func() { _ = recover().(*watcher).note() }()
	deferring(w)
}

func callers() {
	w := &watcher{}
	w.note()
	generic(w, 1, 2)
	generic(w, 2.5, 1.5)
	func() { larger(w, 1, 2) }()
	call(w)
	call(&holder{*w, ""})
	copied := (*watcher).copied
	copied(w)
	recovering(w)
	func(f func() int) { f() }(w.note)
	done := make(chan int)
	go func() { done <- w.note() }()
	<-done
}

func main() {
	if len(os.Args) == 3 {
		own, _ := strconv.ParseUint(os.Args[2], 16, 64)
		slide = uint64(reflect.ValueOf(main).Pointer()) - own
		if os.Args[1] == "callers" {
			callers()
		}
		for in := bufio.NewScanner(os.Stdin); os.Args[1] == "places" && in.Scan(); {
			address, _ := strconv.ParseUint(in.Text(), 16, 64)
			place(address, uintptr(address+slide)+1)
		}
		out.Flush()
		return
	}
	os.Stdout.WriteString("ready\n")
	for m := (&mill{1}); ; {
		work(m) // call of work
	}
}
