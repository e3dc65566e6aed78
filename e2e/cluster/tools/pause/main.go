package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	// A Pod with a shared process namespace makes this process its init.
	// Ignoring SIGCHLD lets the kernel reap what is left to it.
	signal.Ignore(syscall.SIGCHLD)
	<-stop
}
