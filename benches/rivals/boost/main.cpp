// The workloads of the rivals report on Boost.Fiber, on one thread: rivals ROW PROCS SIZE MILLISECONDS prints its figures,
// ns=17.2 bytes=4360, or why it takes no part. What the rows are says benches/src/rivals/row.rs.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>

namespace fibers = boost::fibers;
namespace context = boost::context;
using clock_type = std::chrono::steady_clock;
using channel = fibers::buffered_channel<long>;
using rendezvous = fibers::unbuffered_channel<long>;

// Enough for what is done here, and little of it is touched.
static const std::size_t STACK = 16 << 10;

static double since(clock_type::time_point start) {
    return std::chrono::duration<double, std::nano>(clock_type::now() - start).count();
}

template <typename F> static fibers::fiber spawn(F f) {
    return fibers::fiber(std::allocator_arg, fibers::fixedsize_stack(STACK), std::move(f));
}

static void join(std::vector<fibers::fiber> &all) {
    for (auto &one : all) one.join();
}

static void yield() { boost::this_fiber::yield(); }

// From when all have started to when all have ended.
struct Window {
    long all, started = 0, ended = 0;
    clock_type::time_point begin;
    double took = 0;
    explicit Window(long all) : all(all) {}
    void start() {
        if (++started == all) begin = clock_type::now();
        while (started < all) yield();
    }
    void done() {
        if (++ended == all) took = since(begin);
    }
};

// Nanoseconds an operation: run does so many and returns how long they took.
static std::string steady(long millis, long least, const std::function<double(long)> &run) {
    double wanted = millis * 1e6;
    for (long n = least;;) {
        double took = run(n);
        if (took > wanted * 0.4) return "ns=" + std::to_string(took / n);
        n = long(n * std::min(std::max(wanted / took, 2.0), 20.0));
    }
}

static double switches(long n) {
    context::fiber other([](context::fiber &&back) {
        for (;;) back = std::move(back).resume();
        return std::move(back);
    });
    auto start = clock_type::now();
    for (long i = 0; i < n / 2; i++) other = std::move(other).resume();
    return since(start);
}

static double yields(long tasks, long n) {
    Window window(tasks);
    std::vector<fibers::fiber> all;
    for (long t = 0; t < tasks; t++)
        all.push_back(spawn([&] {
            window.start();
            for (long i = 0; i < n / tasks; i++) yield();
            window.done();
        }));
    join(all);
    return window.took;
}

static double pairs(long pairs, long n) {
    Window window(pairs);
    std::vector<std::unique_ptr<rendezvous>> channels;
    std::vector<fibers::fiber> all;
    for (long p = 0; p < pairs; p++) {
        channels.push_back(std::make_unique<rendezvous>());
        rendezvous &c = *channels.back();
        all.push_back(spawn([&c, n, pairs] {
            for (long i = 0; i <= n / pairs; i++) c.push(i);
        }));
        all.push_back(spawn([&c, &window, n, pairs] {
            c.value_pop();
            window.start();
            for (long i = 0; i < n / pairs; i++) c.value_pop();
            window.done();
        }));
    }
    join(all);
    return window.took;
}

static double stream(long senders, long n) {
    channel c(128);
    std::vector<fibers::fiber> all;
    auto start = clock_type::now();
    for (long s = 0; s < senders; s++)
        all.push_back(spawn([&c, n, senders] {
            for (long i = 0; i < n / senders; i++) c.push(i);
        }));
    for (long i = 0; i < n / senders * senders; i++) c.value_pop();
    double took = since(start);
    join(all);
    return took;
}

static double mutexes(long n) {
    fibers::mutex mutex;
    long count = 0;
    std::vector<fibers::fiber> all;
    auto start = clock_type::now();
    for (int g = 0; g < 100; g++)
        all.push_back(spawn([&] {
            for (long i = 0; i < n / 100; i++) {
                mutex.lock();
                count++;
                if (i % 100 == 0) yield();
                mutex.unlock();
            }
        }));
    join(all);
    return since(start);
}

static double rounds(long size, long n) {
    auto start = clock_type::now();
    for (long r = 0; r < n / size; r++) {
        std::vector<fibers::fiber> all;
        for (long g = 0; g < size; g++) all.push_back(spawn([] {}));
        join(all);
    }
    return since(start);
}

static void branch(rendezvous &up, long first, long size) {
    if (size == 1) {
        up.push(first);
        return;
    }
    rendezvous c;
    for (long i = 0; i < 10; i++)
        spawn([&c, first, i, size] { branch(c, first + i * (size / 10), size / 10); }).detach();
    long sum = 0;
    for (int i = 0; i < 10; i++) sum += c.value_pop();
    up.push(sum);
}

static std::string skynet(long leaves) {
    long size = 1;
    while (size * 10 <= leaves) size *= 10;
    auto start = clock_type::now();
    rendezvous c;
    spawn([&] { branch(c, 0, size); }).detach();
    if (c.value_pop() != size * (size - 1) / 2) std::abort();
    return "ns=" + std::to_string(since(start) / size) + " n=" + std::to_string(size);
}

static long fork_all(long leaves) {
    if (leaves == 1) return 1;
    long a = 0;
    auto other = spawn([&a, leaves] { a = fork_all(leaves / 2); });
    long b = fork_all(leaves / 2);
    other.join();
    return a + b;
}

static std::string forked(long leaves) {
    long size = 1;
    while (size * 2 <= leaves) size *= 2;
    auto start = clock_type::now();
    if (fork_all(size) != size) std::abort();
    return "ns=" + std::to_string(since(start) / size) + " n=" + std::to_string(size);
}

static double timers(long n) {
    rendezvous c;
    auto start = clock_type::now();
    auto sender = spawn([&] {
        for (long i = 0; i < n; i++) c.push(i);
    });
    for (long i = 0; i < n; i++) {
        long value;
        if (c.pop_wait_for(value, std::chrono::hours(1)) != fibers::channel_op_status::success) std::abort();
    }
    sender.join();
    return since(start);
}

static double memory() {
    std::ifstream file("/proc/self/status");
    std::string line;
    double sum = 0;
    while (std::getline(file, line))
        if (line.rfind("VmRSS:", 0) == 0 || line.rfind("VmPTE:", 0) == 0)
            sum += std::stod(line.substr(6)) * 1024;
    return sum;
}

static std::string parked(long size) {
    // Never unlocked: they stay parked until the process ends.
    static fibers::mutex never;
    never.lock();
    long started = 0;
    double before = memory();
    auto start = clock_type::now();
    for (long g = 0; g < size; g++)
        spawn([&] {
            started++;
            never.lock();
        }).detach();
    while (started < size) yield();
    double ns = since(start) / size;
    return "ns=" + std::to_string(ns) + " bytes=" + std::to_string((memory() - before) / size);
}

static double cpu() {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static std::string sleepers(long n) {
    std::vector<double> late(n);
    std::vector<fibers::fiber> all;
    double before = cpu();
    for (long i = 0; i < n; i++)
        all.push_back(spawn([&late, i] {
            auto due = clock_type::now() + std::chrono::microseconds(std::uint64_t(i) * 2654435761u % 2000000);
            boost::this_fiber::sleep_until(due);
            late[i] = since(due) / 1000;
        }));
    join(all);
    double each = (cpu() - before) / n;
    std::sort(late.begin(), late.end());
    return "cpu_ns=" + std::to_string(each) + " p99_us=" + std::to_string(late[n * 99 / 100]) +
           " max_us=" + std::to_string(late[n - 1]);
}

static std::string naps(long millis) {
    double before = cpu();
    for (long i = 0; i < millis; i++) boost::this_fiber::sleep_for(std::chrono::milliseconds(1));
    return "cpu_us=" + std::to_string((cpu() - before) / millis / 1000);
}

static std::string answer(const std::string &row, long procs, long size, long millis) {
    if (row == "parked") return parked(size);
    if (row == "sleepers") return sleepers(size);
    if (row == "naps") return naps(millis);
    if (row == "blockers" || row == "loops") return "no: one thread, which others hold";
    if (procs > 1) return "no: one thread";
    if (row == "switch") return steady(millis, 100000, switches);
    if (row == "yield") return steady(millis, 4 * size, [&](long n) { return yields(size, n); });
    if (row == "pairs") return steady(millis, 4 * size, [&](long n) { return pairs(size, n); });
    if (row == "buffered") return steady(millis, 10000, [](long n) { return stream(1, n); });
    if (row == "fanin") return steady(millis, 10000, [](long n) { return stream(100, n); });
    if (row == "select4") return "no: has no select";
    if (row == "mutex") return steady(millis, 10000, mutexes);
    if (row == "spawn" && size <= 1000) return steady(millis, size, [&](long n) { return rounds(size, n); });
    if (row == "spawn") return "ns=" + std::to_string(rounds(size, size) / size);
    if (row == "skynet") return skynet(size);
    if (row == "forkjoin") return forked(size);
    if (row == "timers") return steady(millis, 1000, timers);
    return "no: does not know " + row;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        std::cerr << "usage: rivals ROW PROCS SIZE MILLISECONDS\n";
        return 2;
    }
    std::cout << answer(argv[1], std::atol(argv[2]), std::atol(argv[3]), std::atol(argv[4])) << std::endl;
    // With all that is parked.
    std::quick_exit(0);
}
