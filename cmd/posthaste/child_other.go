//go:build unix && !linux

package main

import "syscall"

// childAttributes puts a child into a process group of its own. Only Linux can
// also kill it when we are killed; elsewhere a forced end leaves it running,
// and the next start says that its port is in use.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
