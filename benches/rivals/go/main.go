// The workloads of the rivals report on Go: rivals ROW PROCS SIZE MILLISECONDS prints its figures, ns=17.2 bytes=4360. What
// the rows are says benches/src/rivals/row.rs. rivals serve SERVICE PROCS is a server for the net report.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// From when all have started to when all have ended.
type window struct {
	all            int64
	started, ended atomic.Int64
	begin, end     time.Time
}

func (w *window) start() {
	if w.started.Add(1) == w.all {
		w.begin = time.Now()
	}
	for w.started.Load() < w.all {
		runtime.Gosched()
	}
}

func (w *window) done() {
	if w.ended.Add(1) == w.all {
		w.end = time.Now()
	}
}

func (w *window) took() float64 {
	return float64(w.end.Sub(w.begin).Nanoseconds())
}

func since(start time.Time) float64 {
	return float64(time.Since(start).Nanoseconds())
}

// Nanoseconds an operation: run does so many and returns how long they took.
func steady(millis, least int, run func(n int) float64) float64 {
	wanted := float64(millis) * 1e6
	for n := least; ; {
		took := run(n)
		if took > wanted*0.4 {
			return took / float64(n)
		}
		n = int(float64(n) * min(max(wanted/took, 2), 20))
	}
}

func spawnAll(count int, f func()) *sync.WaitGroup {
	var all sync.WaitGroup
	all.Add(count)
	for g := 0; g < count; g++ {
		go func() { f(); all.Done() }()
	}
	return &all
}

func yields(tasks, n int) float64 {
	w := window{all: int64(tasks)}
	spawnAll(tasks, func() {
		w.start()
		for i := 0; i < n/tasks; i++ {
			runtime.Gosched()
		}
		w.done()
	}).Wait()
	return w.took()
}

func pairs(pairs, n int) float64 {
	w := window{all: int64(pairs)}
	spawnAll(pairs, func() {
		c := make(chan int)
		go func() {
			for i := 0; i <= n/pairs; i++ {
				c <- i
			}
		}()
		<-c
		w.start()
		for i := 0; i < n/pairs; i++ {
			<-c
		}
		w.done()
	}).Wait()
	return w.took()
}

func stream(senders, n int) float64 {
	c := make(chan int, 128)
	start := time.Now()
	spawnAll(senders, func() {
		for i := 0; i < n/senders; i++ {
			c <- i
		}
	})
	for i := 0; i < n/senders*senders; i++ {
		<-c
	}
	return since(start)
}

func select4(n int) float64 {
	var c [4]chan int
	start := time.Now()
	for s := range c {
		c[s] = make(chan int)
		go func() {
			for i := 0; i < n/4; i++ {
				c[s] <- i
			}
		}()
	}
	for i := 0; i < n/4*4; i++ {
		select {
		case <-c[0]:
		case <-c[1]:
		case <-c[2]:
		case <-c[3]:
		}
	}
	return since(start)
}

func mutexes(n int) float64 {
	var mutex sync.Mutex
	start := time.Now()
	count := 0
	spawnAll(100, func() {
		for i := 0; i < n/100; i++ {
			mutex.Lock()
			count++
			if i%100 == 0 {
				runtime.Gosched()
			}
			mutex.Unlock()
		}
	}).Wait()
	return since(start)
}

func rounds(size, n int) float64 {
	start := time.Now()
	for r := 0; r < n/size; r++ {
		spawnAll(size, func() {}).Wait()
	}
	return since(start)
}

func branch(up chan int, first, size int) {
	if size == 1 {
		up <- first
		return
	}
	c := make(chan int)
	for i := 0; i < 10; i++ {
		go branch(c, first+i*(size/10), size/10)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-c
	}
	up <- sum
}

func skynet(leaves int) (float64, int) {
	size := 1
	for size*10 <= leaves {
		size *= 10
	}
	start := time.Now()
	c := make(chan int)
	go branch(c, 0, size)
	if <-c != size*(size-1)/2 {
		panic("a wrong sum")
	}
	return since(start) / float64(size), size
}

func fork(leaves int) int {
	if leaves == 1 {
		return 1
	}
	other := make(chan int, 1)
	go func() { other <- fork(leaves / 2) }()
	return fork(leaves/2) + <-other
}

func forked(leaves int) (float64, int) {
	size := 1
	for size*2 <= leaves {
		size *= 2
	}
	start := time.Now()
	if fork(size) != size {
		panic("a wrong count")
	}
	return since(start) / float64(size), size
}

// Each receive has a timer of an hour, which its message cancels.
func timers(n int) float64 {
	c := make(chan int)
	start := time.Now()
	go func() {
		for i := 0; i < n; i++ {
			c <- i
		}
	}()
	for i := 0; i < n; i++ {
		timer := time.NewTimer(time.Hour)
		select {
		case <-c:
		case <-timer.C:
			panic("an hour has passed")
		}
		timer.Stop()
	}
	return since(start)
}

func memory() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	sum := 0.0
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) > 1 && (words[0] == "VmRSS:" || words[0] == "VmPTE:") {
			kilobytes, _ := strconv.ParseFloat(words[1], 64)
			sum += kilobytes * 1024
		}
	}
	return sum
}

func parked(size int) string {
	var started atomic.Int64
	never := make(chan int)
	before, start := memory(), time.Now()
	for g := 0; g < size; g++ {
		go func() { started.Add(1); <-never }()
	}
	for started.Load() < int64(size) {
		runtime.Gosched()
	}
	ns := since(start) / float64(size)
	time.Sleep(20 * time.Millisecond)
	return fmt.Sprint("ns=", ns, " bytes=", (memory()-before)/float64(size))
}

func figures(row string, size, millis int) string {
	ns := func(ns float64) string { return fmt.Sprint("ns=", ns) }
	of := func(ns float64, n int) string { return fmt.Sprint("ns=", ns, " n=", n) }
	sized := func(least int, run func(size, n int) float64) string {
		return ns(steady(millis, least, func(n int) float64 { return run(size, n) }))
	}
	switch row {
	case "switch":
		return ns(steady(millis, 100000, switches))
	case "yield":
		return sized(4*size, yields)
	case "pairs":
		return sized(4*size, pairs)
	case "buffered":
		return ns(steady(millis, 10000, func(n int) float64 { return stream(1, n) }))
	case "fanin":
		return ns(steady(millis, 10000, func(n int) float64 { return stream(100, n) }))
	case "select4":
		return ns(steady(millis, 1000, select4))
	case "mutex":
		return ns(steady(millis, 10000, mutexes))
	case "spawn":
		if size <= 1000 {
			return sized(size, rounds)
		}
		return ns(rounds(size, size) / float64(size))
	case "skynet":
		return of(skynet(size))
	case "forkjoin":
		return of(forked(size))
	case "timers":
		return ns(steady(millis, 1000, timers))
	case "parked":
		return parked(size)
	case "sleepers":
		return sleepers(size)
	case "naps":
		return naps(millis)
	case "blockers", "loops":
		return ticker(row, size)
	}
	return "no: does not know " + row
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3])
		return
	}
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: rivals ROW PROCS SIZE MILLISECONDS | serve SERVICE PROCS")
		os.Exit(2)
	}
	var numbers [3]int
	for i := range numbers {
		number, err := strconv.Atoi(os.Args[i+2])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		numbers[i] = number
	}
	runtime.GOMAXPROCS(numbers[0])
	fmt.Println(figures(os.Args[1], numbers[1], numbers[2]))
}
