// activate listens on a unix socket and hands it to a program as systemd does (sd_listen_fds(3)), which it starts again
// whenever it ends:
//
//	activate SOCKET PROGRAM ARGUMENT...
//
// SIGTERM ends the program and then activate itself.
package main

import (
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"
)

func main() {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: os.Args[1], Net: "unix"})
	if err != nil {
		log.Fatal(err)
	}
	socket, err := listener.File()
	if err != nil {
		log.Fatal(err)
	}
	var ending atomic.Bool
	var program atomic.Int64
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	go func() {
		<-told
		ending.Store(true)
		_ = syscall.Kill(int(program.Load()), syscall.SIGTERM)
	}()
	for !ending.Load() {
		started := start(socket, os.Args[2:])
		program.Store(int64(started.Process.Pid))
		if err := started.Wait(); err != nil {
			log.Print(err)
		}
	}
}

// start runs the program by way of a shell, which alone knows the process id before the program does.
func start(socket *os.File, words []string) *exec.Cmd {
	command := exec.Command("/bin/sh", append([]string{"-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@"`}, words...)...)
	command.ExtraFiles = []*os.File{socket}
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Start(); err != nil {
		log.Fatal(err)
	}
	return command
}
