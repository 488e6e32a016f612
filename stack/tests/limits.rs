//! Many stacks, little address space, and guards made with mprotect. Each scenario has a process of its own.

mod common;

use std::io;

use common::{MIB, assert_success, at_most, child, descend, on_stack, page, stderr};
use goroutines_stack::{
    Cache, Class, Slab, Stack, acquire, give_back_idle, release, reserve, unreserve,
};

fn memory_areas() -> usize {
    std::fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count()
}

/// Whether the kernel has guards that split no memory area, as the crate would find out.
fn has_guard_advice() -> bool {
    let areas = memory_areas();
    let stacks: Vec<Stack> = (0..100).map(|_| acquire(MIB).unwrap()).collect();
    drop(stacks);
    memory_areas() < areas + 50
}

fn many_windows() {
    let areas = memory_areas();
    let count = at_most(100_000, MIB);
    let stacks: Vec<Stack> = (0..count).map(|_| acquire(MIB).unwrap()).collect();
    let more = memory_areas() - areas;
    assert!(
        more < 20 + count / 64,
        "{count} stacks made {more} memory areas"
    );
    for stack in stacks.iter().step_by(count / 10) {
        on_stack(stack, || descend(150 << 10));
    }
}

/// As many as a program may have for which no size was asked, on any CPU.
fn ten_thousand() {
    let stacks: Vec<Stack> = (0..10_000)
        .map(|_| acquire(Class::DEFAULT).unwrap())
        .collect();
    for stack in stacks.iter().step_by(1000) {
        on_stack(stack, || descend(100 << 10));
    }
}

/// In a process that dies of any system call but read, write and exit.
fn reuse_without_system_calls(count: usize) {
    let mut cache = Cache::new();
    let mut stacks: Vec<Stack> = Vec::with_capacity(count);
    let mut rounds = |n: usize| {
        for _ in 0..n {
            stacks.drain(..).for_each(|stack| cache.release(stack));
            stacks.extend((0..count).map_while(|_| cache.acquire(MIB).ok()));
        }
        stacks.len()
    };
    rounds(5); // Until no fresh window is left that a cache has claimed.
    // SAFETY: the scenario's process has no thread that could hold a lock which the fork's child needs.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: from here on only system calls that strict mode allows are made, the last of which ends the process.
        unsafe {
            if libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) != 0 {
                libc::_exit(2);
            }
            let code = libc::c_int::from(rounds(5) != count);
            libc::syscall(libc::SYS_exit, code);
        }
    }
    let mut status = 0;
    // SAFETY: waits for our child and writes to an integer.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert_eq!(status, 0, "9 is the death by a forbidden system call");
}

/// A huge page would make each parked stack cost 2 MiB, and memory that is promised would make the kernel refuse 64 GiB.
fn arena_flags() {
    let stack = acquire(MIB).unwrap();
    let inside = stack.top() as usize - 1;
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut within = false;
    let flags = smaps.lines().find_map(|line| {
        let bounds = line.split_whitespace().next()?.split_once('-');
        let bounds = bounds.and_then(|(low, high)| {
            let number = |text| usize::from_str_radix(text, 16).ok();
            Some(number(low)?..number(high)?)
        });
        within = bounds.map_or(within, |area| area.contains(&inside));
        line.strip_prefix("VmFlags:").filter(|_| within)
    });
    let flags: Vec<&str> = flags.unwrap().split_whitespace().collect();
    assert!(flags.contains(&"nh"), "huge pages are not off: {flags:?}");
    assert!(flags.contains(&"nr"), "memory is promised: {flags:?}");
}

/// With `mlockall(MCL_FUTURE)` the kernel fills whatever is reserved: 64 GiB would end the machine.
fn locked_memory() {
    // SAFETY: only asks that new memory be locked.
    if unsafe { libc::mlockall(libc::MCL_FUTURE) } != 0 {
        eprintln!("skipped: mlockall is not permitted here");
        return;
    }
    let stacks: Vec<Stack> = (0..20).map(|_| acquire(MIB).unwrap()).collect();
    for stack in &stacks {
        on_stack(stack, || descend(150 << 10));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes: usize = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    assert!(kilobytes < 500_000, "{kilobytes} kB for 20 stacks");
}

fn limit_address_space(bytes: libc::rlim_t) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: the limit is a whole `rlimit`.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

/// Acquires until it fails, which must be with a clear error; then the stacks that exist must still work.
fn little_address_space() {
    limit_address_space(1 << 30);
    let mut stacks = Vec::new();
    let error = loop {
        match acquire(MIB) {
            Ok(stack) => stacks.push(stack),
            Err(error) => break error,
        }
    };
    assert!(stacks.len() >= 500, "only {} of 1 GiB", stacks.len());
    assert_no_space(&error, "1048576 bytes");
    assert_no_space(&reserve(MIB, 100_000).unwrap_err(), "1048576");

    on_stack(&stacks[0], || descend(500 << 10));
    let top = stacks[3].top();
    release(stacks.swap_remove(3));
    assert_eq!(acquire(MIB).unwrap().top(), top);
}

/// The first reservation leaves most of a scarce address space to the rest of the process.
fn a_share_of_little_address_space() {
    limit_address_space(2 << 30);
    let stack = acquire(MIB).unwrap();
    let rest = vec![1u8; 1 << 30];
    on_stack(&stack, || descend(150 << 10));
    assert_eq!(rest.len(), 1 << 30);
}

/// Admitted stacks are there when they are asked for, through caches that hold some back.
fn admitted_in_little_address_space() {
    limit_address_space(1 << 30);
    let mut admitted = 0;
    for step in [10, 1] {
        while reserve(MIB, step).is_ok() {
            admitted += step;
        }
    }
    assert!(admitted >= 500, "only {admitted} of 1 GiB");
    let mut caches = [Cache::new(), Cache::new(), Cache::new()];
    for round in 0..3 {
        let stacks: Vec<Stack> = (0..admitted)
            .map(|_| caches[round].acquire(MIB).unwrap())
            .collect();
        for (i, stack) in stacks.into_iter().enumerate() {
            caches[i % 3].release(stack);
        }
    }
    unreserve(MIB, admitted);
}

fn slab_in_little_address_space() {
    limit_address_space(200 << 20);
    let slab: Slab<[u64; 32]> = Slab::new();
    let mut slots = 0;
    let error = loop {
        match slab.grow(4096) {
            Ok(new) => slots += new.len(),
            Err(error) => break error,
        }
    };
    assert!(slots * 256 > 100 << 20, "only {slots} slots of 200 MiB");
    assert_no_space(&error, "descriptors of 256 bytes");
}

fn assert_no_space(error: &io::Error, what: &str) {
    assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    let text = error.to_string();
    assert!(text.contains(what), "{text}");
    assert!(text.contains("RLIMIT_AS"), "{text}");
}

/// A class of which there is address space for all that the memory areas allow.
fn many() -> Class {
    match usize::BITS {
        32 => Class::usable()[0],
        _ => MIB,
    }
}

/// With mprotect each window is two memory areas: the sysctl ends it, with its name, and nothing is lost.
fn mprotect_ends_at_the_sysctl() {
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let (spare, len) = spare_areas(16);
    let mut stacks: Vec<Stack> = Vec::new();
    let error = loop {
        assert!(stacks.len() <= limit, "more stacks than memory areas");
        match acquire(many()) {
            Ok(stack) => stacks.push(stack),
            Err(error) => break error,
        }
    };
    let text = error.to_string();
    assert!(text.contains("vm.max_map_count"), "{text}");
    assert!(stacks.len() > limit / 2 - 1000, "only {}", stacks.len());

    // SAFETY: the areas are ours and unused.
    assert_eq!(unsafe { libc::munmap(spare, len) }, 0);
    let last = stacks[stacks.len() - 1].top() as usize - 1;
    let next = acquire(many()).unwrap();
    assert!(
        next.contains(last + many().window()),
        "the window whose guard was refused is not lost"
    );
    on_stack(&next, || descend(30 << 10));
    let top = next.top() as usize;
    release(next);
    assert_eq!(acquire(many()).unwrap().top() as usize, top);
}

/// What is admitted has its guards, so that it is the admission that fails, and the rest of the process has areas left.
fn mprotect_ends_at_admission() {
    let mut admitted = 0;
    let error = loop {
        match reserve(many(), 64) {
            Ok(()) => admitted += 64,
            Err(error) => break error,
        }
    };
    let text = error.to_string();
    assert!(text.contains("vm.max_map_count"), "{text}");
    assert!(text.contains("one more goroutine stack after 3"), "{text}");
    assert!(admitted > 30_000, "only {admitted}");
    let rest = memory_areas();
    std::thread::spawn(|| ()).join().unwrap();
    let mut stacks: Vec<Stack> = Vec::with_capacity(admitted);
    stacks.extend((0..admitted).map(|_| acquire(many()).unwrap()));
    assert!(
        memory_areas() <= rest + 10,
        "an admitted stack needed areas"
    );
    on_stack(&stacks[admitted - 1], || descend(30 << 10));
    drop(stacks);
    unreserve(many(), admitted);
    reserve(many(), admitted).unwrap();
}

/// A mapping that takes `areas` memory areas until it is unmapped.
fn spare_areas(areas: usize) -> (*mut libc::c_void, usize) {
    let (page, len) = (page(), areas * page());
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a fresh mapping, of which every second page is made readable.
    unsafe {
        let start = libc::mmap(std::ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        for offset in (0..len).step_by(2 * page) {
            assert_eq!(libc::mprotect(start.add(offset), page, libc::PROT_READ), 0);
        }
        (start, len)
    }
}

fn mprotect_gives_memory_back() {
    let mut cache = Cache::new();
    let stack = cache.acquire(MIB).unwrap();
    let deep = stack.top().wrapping_sub(150 << 10);
    on_stack(&stack, || descend(180 << 10));
    // SAFETY: the byte is in the window, which nothing runs on.
    assert_ne!(unsafe { deep.read() } as u64 + resident(deep), 0);
    cache.release(stack);
    cache.drain();
    give_back_idle();
    assert_ne!(resident(deep), 0, "the stack was not idle for a while yet");
    give_back_idle();
    assert_eq!(resident(deep), 0);
}

fn resident(addr: *mut u8) -> u64 {
    u64::from(common::is_resident(addr as usize))
}

#[test]
#[ignore = "the part of the children that the other tests start"]
fn play() {
    let Some(scenario) = common::scenario() else {
        return;
    };
    match scenario.as_str() {
        "many windows" => many_windows(),
        "ten thousand" => ten_thousand(),
        "reuse" => reuse_without_system_calls(500),
        "flags" => arena_flags(),
        "locked" => locked_memory(),
        "has guard advice" => assert!(has_guard_advice()),
        "little address space" => little_address_space(),
        "share" => a_share_of_little_address_space(),
        "admitted" => admitted_in_little_address_space(),
        "slab" => slab_in_little_address_space(),
        "sysctl" => mprotect_ends_at_the_sysctl(),
        "admission" => mprotect_ends_at_admission(),
        "gives back" => mprotect_gives_memory_back(),
        "grow" => {
            for &class in Class::usable() {
                let stack = acquire(class).unwrap();
                on_stack(&stack, || descend((stack.limit() / 2).min(20 << 20)));
            }
        }
        "overflow" => {
            let stack = acquire(MIB).unwrap();
            on_stack(&stack, || common::forever(0));
        }
        "bad variable" => {
            let error = acquire(MIB).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(
                error.to_string().contains("GOROUTINE_GUARD=wall"),
                "{error}"
            );
            assert_eq!(
                common::install_now().unwrap_err().to_string(),
                error.to_string()
            );
        }
        other => panic!("no scenario {other}"),
    }
}

const MPROTECT: &[(&str, &str)] = &[("GOROUTINE_GUARD", "mprotect")];

#[test]
fn a_hundred_thousand_stacks_stay_within_the_budget_of_memory_areas() {
    if child("has guard advice", &[]).status.success() {
        assert_success(&child("many windows", &[]));
    } else {
        eprintln!("skipped: this kernel has no MADV_GUARD_INSTALL");
    }
}

#[test]
fn ten_thousand_stacks_for_which_no_size_was_asked_are_to_be_had() {
    assert_success(&child("ten thousand", &[]));
    assert_success(&child("ten thousand", MPROTECT));
}

#[test]
fn a_reused_stack_costs_no_system_call() {
    assert_success(&child("reuse", &[]));
    assert_success(&child("reuse", MPROTECT));
}

#[test]
fn an_arena_has_no_huge_pages_and_promises_no_memory() {
    assert_success(&child("flags", &[]));
}

#[test]
fn locked_memory_is_not_reserved_ahead() {
    assert_success(&child("locked", &[]));
}

#[test]
fn too_little_address_space_is_an_error_and_leaves_things_usable() {
    assert_success(&child("little address space", &[]));
    assert_success(&child("slab", &[]));
}

#[test]
fn scarce_address_space_is_shared_with_the_rest_of_the_process() {
    assert_success(&child("share", &[]));
}

#[test]
fn admitted_stacks_never_fail_for_address_space() {
    assert_success(&child("admitted", &[]));
}

#[test]
fn without_guard_advice_stacks_work_with_mprotect() {
    assert_success(&child("grow", MPROTECT));
    assert_success(&child("gives back", MPROTECT));
    assert_success(&child("admitted", MPROTECT));
}

#[test]
fn without_guard_advice_an_overflow_has_the_same_message() {
    let text = stderr(&child("overflow", MPROTECT));
    assert!(
        text.contains("goroutine 17 [deep thought]: stack exceeds 1048576-byte limit"),
        "{text}"
    );
}

#[test]
fn without_guard_advice_the_last_stack_fails_with_the_name_of_the_sysctl() {
    assert_success(&child("sysctl", MPROTECT));
    assert_success(&child("admission", MPROTECT));
}

#[test]
fn an_unknown_guard_flavour_is_an_error_that_names_it() {
    assert_success(&child("bad variable", &[("GOROUTINE_GUARD", "wall")]));
}
