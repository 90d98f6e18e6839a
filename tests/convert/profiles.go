// SPDX-License-Identifier: Apache-2.0

// Writes every kind of profile that Go's runtime knows into the folder that it is given.
package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

var kept [][]byte
var sink uint64

//go:noinline
func spin(until time.Time) {
	for time.Now().Before(until) {
		for i := uint64(0); i < 100000; i++ {
			sink = mix(sink, i)
		}
	}
}

// Inlined, which the profile tells.
func mix(a, b uint64) uint64 {
	return (a^b)*0x9e3779b97f4a7c15 + b
}

//go:noinline
func allocate() {
	for i := 0; i < 200; i++ {
		kept = append(kept, make([]byte, 64<<10))
	}
}

//go:noinline
func contend() {
	var mutex sync.Mutex
	var group sync.WaitGroup

	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for k := 0; k < 20; k++ {
				mutex.Lock()
				time.Sleep(time.Millisecond)
				mutex.Unlock()
			}
		}()
	}
	group.Wait()
}

func create(name string) *os.File {
	file, err := os.Create(filepath.Join(os.Args[1], name+".pb.gz"))
	if err != nil {
		panic(err)
	}
	return file
}

func write(name string) {
	file := create(name)
	if err := pprof.Lookup(name).WriteTo(file, 0); err != nil {
		panic(err)
	}
	file.Close()
}

func main() {
	runtime.MemProfileRate = 64 << 10
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	cpu := create("cpu")
	if err := pprof.StartCPUProfile(cpu); err != nil {
		panic(err)
	}
	pprof.Do(context.Background(), pprof.Labels("request-id", "seven", "user", "ü"),
		func(context.Context) { spin(time.Now().Add(600 * time.Millisecond)) })
	spin(time.Now().Add(200 * time.Millisecond))
	pprof.StopCPUProfile()
	cpu.Close()
	allocate()
	contend()
	go func() { select {} }()
	for _, name := range []string{"heap", "allocs", "goroutine", "mutex", "block", "threadcreate"} {
		write(name)
	}
	runtime.KeepAlive(kept)
}
