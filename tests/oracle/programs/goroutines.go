// SPDX-License-Identifier: Apache-2.0

// Goroutines that grow their stacks, panic, recover, defer, wait for each other and are collected.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
)

//go:noinline
func grow(left int) int {
	var room [64]int

	room[left%64] = left
	if left == 0 {
		return room[0]
	}
	return grow(left-1) + room[left%64]
}

type failure struct{ depth int }

//go:noinline
func fail(left int) int {
	defer func() {
		if left%3 == 1 {
			if r := recover(); r != nil {
				panic(r) // again, from here
			}
		}
	}()
	if left == 0 {
		panic(failure{left})
	}
	return fail(left-1) + 1
}

//go:noinline
func recovered(f func() int) (result int) {
	defer func() {
		if r := recover(); r != nil {
			result = -1
		}
	}()
	return f()
}

//go:noinline
func nowhere(p *int) int {
	return *p
}

func talk(rounds int) int {
	numbers, done := make(chan int), make(chan int)

	go func() {
		sum := 0
		for n := range numbers {
			sum += n
		}
		done <- sum
	}()
	for i := 0; i < rounds; i++ {
		numbers <- i
	}
	close(numbers)
	return <-done
}

func work(id int) int {
	words := strings.Fields("some words to be sorted by a function of ours")

	sort.Slice(words, func(i, j int) bool { return words[i] < words[j] })
	table := map[string]int{}
	for i, word := range words {
		table[word] = i
	}
	return grow(40) + len(fmt.Sprintf("%v %d %5.2f", table["by"], id, 1.5)) + talk(3)
}

func main() {
	var wait sync.WaitGroup
	var lock sync.Mutex

	// What is rare comes first: an oracle may not follow to the end.
	total := grow(40)
	total += recovered(func() int { return nowhere(nil) })
	total += recovered(func() int { return fail(5) })
	total += talk(3)
	for id := 0; id < 3; id++ {
		wait.Add(1)
		go func(id int) {
			defer wait.Done()
			sum := work(id)
			lock.Lock()
			total += sum
			lock.Unlock()
		}(id)
	}
	wait.Wait()
	runtime.GC()
	total += work(3)
	runtime.Gosched()
	fmt.Fprintln(os.Stdout, total != 0)
}
