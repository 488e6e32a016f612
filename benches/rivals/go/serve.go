// A server for the net report: rivals serve SERVICE PROCS prints its port and serves until standard input ends. What the
// services are says benches/src/net/service.rs.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"
)

func compute(yields bool) {
	for {
		start := time.Now()
		for time.Since(start) < 100*time.Microsecond {
		}
		if yields {
			runtime.Gosched()
		}
	}
}

func answer(conn net.Conn, service string) {
	defer conn.Close()
	buffer := make([]byte, 1024)
	for {
		if service == "timeout" {
			conn.SetReadDeadline(time.Now().Add(time.Minute))
		}
		count, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if service == "yielders" || service == "loops" {
			sent := int64(binary.NativeEndian.Uint64(buffer))
			binary.NativeEndian.PutUint64(buffer, uint64(time.Now().UnixNano()-sent))
		}
		if _, err := conn.Write(buffer[:count]); err != nil || service == "short" {
			return
		}
	}
}

func serve(service, procs string) {
	count, err := strconv.Atoi(procs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "no number of Ps:", procs)
		os.Exit(2)
	}
	runtime.GOMAXPROCS(count)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if service == "yielders" || service == "loops" {
		for p := 0; p < count; p++ {
			go compute(service == "yielders")
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(conn, service)
		}
	}()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
}
