package main

import "syscall"

// childAttributes puts a child into a process group of its own and has the
// kernel kill it when we die, be it by SIGKILL.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
