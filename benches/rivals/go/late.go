// Workloads of time: sleepers, and a ticker beside goroutines that hold the CPUs. And the switch without a scheduler.
package main

import (
	"fmt"
	"iter"
	"slices"
	"sync"
	"syscall"
	"time"
)

func cpu() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

// How long the sleepers sleep: spread over two seconds, in no order.
func nap(i int) time.Duration {
	return time.Duration(uint64(i)*2654435761%2000000) * time.Microsecond
}

func lateness(late []int64) string {
	slices.Sort(late)
	us := func(i int) float64 { return float64(late[i]) / 1000 }
	return fmt.Sprint("p99_us=", us(len(late)*99/100), " max_us=", us(len(late)-1))
}

func sleepers(n int) string {
	before := cpu()
	late := make([]int64, n)
	var all sync.WaitGroup
	all.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			defer all.Done()
			due := time.Now().Add(nap(i))
			time.Sleep(nap(i))
			late[i] = int64(time.Since(due))
		}()
	}
	all.Wait()
	return fmt.Sprint("cpu_ns=", (cpu()-before)/float64(n), " ", lateness(late))
}

func naps(millis int) string {
	before := cpu()
	for i := 0; i < millis; i++ {
		time.Sleep(time.Millisecond)
	}
	return fmt.Sprint("cpu_us=", (cpu()-before)/float64(millis)/1000)
}

func hold(row string) {
	for {
		if row == "blockers" {
			// Not time.Sleep: a call that blocks the thread.
			nap := syscall.NsecToTimespec(20e6)
			syscall.Nanosleep(&nap, nil)
		}
	}
}

func ticker(row string, holders int) string {
	for h := 0; h < holders; h++ {
		go hold(row)
	}
	late := make([]int64, 200)
	end := time.Now().Add(10 * time.Second)
	for i := range late {
		due := time.Now().Add(time.Millisecond)
		time.Sleep(time.Millisecond)
		late[i] = int64(time.Since(due))
		if time.Now().After(end) {
			return fmt.Sprint("no: ", i, " ticks in 10 s")
		}
	}
	return lateness(late)
}

// Both ways of iter.Pull, which switches coroutines.
func switches(n int) float64 {
	next, stop := iter.Pull(func(yield func(int) bool) {
		for yield(1) {
		}
	})
	defer stop()
	start := time.Now()
	for i := 0; i < n/2; i++ {
		next()
	}
	return since(start)
}
