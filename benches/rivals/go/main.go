// The workloads of ../src on Go: rivals WORKLOAD prints nanoseconds per operation.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync"
	"syscall"
	"time"
)

func nap(i int) time.Duration {
	return time.Duration(uint64(i)*2654435761%2000000) * time.Microsecond
}

func cpu() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func yields(n int) {
	for i := 0; i < n; i++ {
		runtime.Gosched()
	}
}

func stream(capacity, senders, n int) {
	c := make(chan int, capacity)
	for s := 0; s < senders; s++ {
		go func() {
			for i := 0; i < n/senders; i++ {
				c <- i
			}
		}()
	}
	for i := 0; i < n; i++ {
		<-c
	}
}

func select4(n int) {
	var c [4]chan int
	for s := range c {
		c[s] = make(chan int)
		go func() {
			for i := 0; i < n/4; i++ {
				c[s] <- i
			}
		}()
	}
	sum := 0
	for i := 0; i < n; i++ {
		select {
		case v := <-c[0]:
			sum += v
		case v := <-c[1]:
			sum += v
		case v := <-c[2]:
			sum += v
		case v := <-c[3]:
			sum += v
		}
	}
	if sum == 0 {
		panic("no sum")
	}
}

func mutex100(n int) {
	var mutex sync.Mutex
	var all sync.WaitGroup
	count := 0
	for g := 0; g < 100; g++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; i < n/100; i++ {
				mutex.Lock()
				count++
				if i%100 == 0 {
					runtime.Gosched()
				}
				mutex.Unlock()
			}
		}()
	}
	all.Wait()
}

func sleepers(n int) []int64 {
	late := make([]int64, n)
	var all sync.WaitGroup
	for i := 0; i < n; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			due := time.Now().Add(nap(i))
			time.Sleep(nap(i))
			late[i] = int64(time.Since(due))
		}()
	}
	all.Wait()
	return late
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3])
		return
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: rivals WORKLOAD | serve SERVICE PROCS")
		os.Exit(2)
	}
	n, start := 0, time.Now()
	switch os.Args[1] {
	case "yield":
		n = 2000000
		done := make(chan bool)
		go func() { yields(n / 2); done <- true }()
		yields(n / 2)
		<-done
	case "unbuffered":
		n = 1000000
		stream(0, 1, n)
	case "bounded128":
		n = 2000000
		stream(128, 1, n)
	case "fanin":
		n = 1000000
		stream(128, 100, n)
	case "select4":
		n = 1000000
		select4(n)
	case "mutex":
		n = 5000000
		var mutex sync.Mutex
		count := 0
		for i := 0; i < n; i++ {
			mutex.Lock()
			count++
			mutex.Unlock()
		}
	case "mutex100":
		n = 2000000
		mutex100(n)
	case "spawn1000":
		n = 1000000
		for r := 0; r < n/1000; r++ {
			var all sync.WaitGroup
			all.Add(1000)
			for g := 0; g < 1000; g++ {
				go func() { all.Done() }()
			}
			all.Wait()
		}
	case "sleepers":
		n = 200000
		before := cpu()
		sleepers(n)
		fmt.Println(float64(cpu()-before) / float64(n))
		return
	case "late":
		late := sleepers(200000)
		sort.Slice(late, func(a, b int) bool { return late[a] < late[b] })
		fmt.Println(late[len(late)*99/100])
		return
	default:
		fmt.Fprintln(os.Stderr, "no workload", os.Args[1])
		os.Exit(2)
	}
	fmt.Println(float64(time.Since(start).Nanoseconds()) / float64(n))
}
