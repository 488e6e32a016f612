// A server for the net report: rivals serve SERVICE PROCS prints its port and serves until standard input ends. What the
// services are says benches/src/net/service.rs.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"
)

// How many wait for datagrams.
const receivers = 8

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

func pour(conn net.Conn, size int) {
	defer conn.Close()
	zeros := make([]byte, size)
	for {
		if _, err := conn.Write(zeros); err != nil {
			return
		}
	}
}

func connections(listener net.Listener, service string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		switch service {
		case "bulk-64K":
			go pour(conn, 64<<10)
		case "bulk-1M":
			go pour(conn, 1<<20)
		default:
			go answer(conn, service)
		}
	}
}

var hello = []byte("Hello, World!")

func plaintext(writer http.ResponseWriter, request *http.Request) {
	header := writer.Header()
	header["Date"] = nil
	if request.URL.Path != "/plaintext" {
		writer.WriteHeader(http.StatusNotFound)
		return
	}
	header.Set("Content-Type", "text/plain")
	writer.Write(hello)
}

func datagrams(conn *net.UDPConn) {
	buffer := make([]byte, 1024)
	for {
		count, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err == nil {
			_, err = conn.WriteToUDPAddrPort(buffer[:count], from)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "a receiver of datagrams ends:", err)
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
	port, err := start(service, count)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(port)
	io.Copy(io.Discard, os.Stdin)
}

// The port on which it serves from now on.
func start(service string, procs int) (int, error) {
	if service == "udp" {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return 0, err
		}
		for r := 0; r < receivers; r++ {
			go datagrams(conn)
		}
		return conn.LocalAddr().(*net.UDPAddr).Port, nil
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	if service == "yielders" || service == "loops" {
		for p := 0; p < procs; p++ {
			go compute(service == "yielders")
		}
	}
	if service == "http" {
		go http.Serve(listener, http.HandlerFunc(plaintext))
	} else {
		go connections(listener, service)
	}
	return listener.Addr().(*net.TCPAddr).Port, nil
}
