// SPDX-License-Identifier: Apache-2.0

// Go that calls the C library through a package of its own: Go's linker then takes in the C code that
// is between them, and drops the call frame information that it had.
package main

import (
	"os"
	"os/user"
)

//go:noinline
func work() {
	user.Lookup("nobody")
}

func main() {
	os.Stdout.WriteString("ready\n")
	go func() {
		for {
			work()
		}
	}()
	for {
		work()
	}
}
