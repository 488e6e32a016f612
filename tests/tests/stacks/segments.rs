//! Recursion without a bound: `goroutines::grow` and the attribute, on goroutines and on plain threads.

use std::{
    any::Any,
    cell::Cell,
    fmt::Display,
    hint::black_box,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    rc::Rc,
    thread,
    time::Duration,
};

use goroutines::{Builder, chan, go, grow, sleep, yield_now};
use goroutines_tests::start;

/// Runs `f` on a goroutine, on a goroutine with the smallest stack, and on a plain thread.
fn everywhere<T: Send + 'static>(f: impl FnOnce() -> T + Clone + Send + 'static) -> [T; 3] {
    start(2);
    let default = go(f.clone());
    let small = Builder::new()
        .stack_size(64 << 10)
        .spawn(f.clone())
        .unwrap();
    let plain = thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(f)
        .unwrap();
    [
        default.join().unwrap(),
        small.join().unwrap(),
        plain.join().unwrap(),
    ]
}

#[goroutines::grow]
fn depth(levels: u64) -> u64 {
    let frame = black_box([levels; 2]);
    if levels == 0 {
        return 0;
    }
    let below = depth(levels - 1);
    // Used after the call, so that no optimiser makes a loop of this.
    1 + below + (black_box(&frame)[0] - levels)
}

#[test]
fn a_recursion_a_million_deep_finishes() {
    assert_eq!(everywhere(|| depth(1_000_000)), [1_000_000; 3]);
}

#[test]
fn it_finishes_before_the_runtime_was_started_too() {
    // Whether another test was faster or not: the thread has never been seen by the runtime.
    let plain = thread::spawn(|| depth(1_000_000));
    assert_eq!(plain.join().unwrap(), 1_000_000);
}

/// Recurses in frames of a kilobyte, as an unoptimised parser might.
fn nest(levels: usize, bottom: &mut dyn FnMut()) -> usize {
    grow(32 << 10, || {
        let frame = black_box([levels as u8; 1024]);
        if levels == 0 {
            bottom();
            return 0;
        }
        nest(levels - 1, bottom) + usize::from(frame[17] == levels as u8)
    })
}

#[test]
fn panics_reach_the_older_stack_with_their_payload() {
    let caught = everywhere(|| {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            nest(5_000, &mut || panic_any(42_i64));
        }));
        let again = nest(5_000, &mut || ());
        (
            caught.unwrap_err().downcast_ref().copied(),
            again,
            thread::panicking(),
        )
    });
    assert_eq!(caught, [(Some(42_i64), 5_000, false); 3]);
}

#[test]
fn a_panic_drops_what_lives_on_every_segment_once() {
    struct Count(Rc<Cell<usize>>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    #[goroutines::grow]
    fn fall(levels: usize, drops: &Rc<Cell<usize>>) -> usize {
        let _count = Count(drops.clone());
        assert_ne!(levels, 0, "the bottom");
        black_box([0_u8; 512])[levels % 512] as usize + fall(levels - 1, drops)
    }
    let drops = everywhere(|| {
        let drops = Rc::new(Cell::new(0));
        assert!(catch_unwind(AssertUnwindSafe(|| fall(5_000, &drops))).is_err());
        (drops.get(), Rc::strong_count(&drops))
    });
    assert_eq!(drops, [(5_001, 1); 3]);
}

#[test]
fn goroutines_park_and_migrate_inside_a_segment() {
    start(2);
    let workers: Vec<_> = (0..20_usize)
        .map(|i| {
            go(move || {
                let (tx, rx) = chan::bounded(0);
                let mut sum = 0;
                let levels = nest(500 + 100 * i, &mut || {
                    let tx = tx.clone();
                    let echo = go(move || {
                        for n in 0..50 {
                            tx.send(n).unwrap();
                        }
                    });
                    for _ in 0..50 {
                        sum += rx.recv().unwrap();
                        yield_now();
                    }
                    sleep(Duration::from_millis(1));
                    echo.join().unwrap();
                });
                (levels - 500 - 100 * i, sum)
            })
        })
        .collect();
    for worker in workers {
        assert_eq!(worker.join().unwrap(), (0, 50 * 49 / 2));
    }
}

#[test]
fn goroutines_with_copied_stacks_park_inside_a_segment() {
    start(2);
    // More than there are windows to share, so that they are copied out and in.
    let workers: Vec<_> = (0..200_u8)
        .map(|i| {
            // SAFETY: nothing of their stacks is lent to others.
            let builder = unsafe { Builder::new().copy_stack() };
            let worker = builder.spawn(move || {
                let own = black_box([i; 500]);
                let levels = nest(300, &mut || {
                    for _ in 0..5 {
                        sleep(Duration::from_micros(300));
                        yield_now();
                    }
                });
                (levels, black_box(&own).iter().all(|&byte| byte == i))
            });
            worker.unwrap()
        })
        .collect();
    for worker in workers {
        assert_eq!(worker.join().unwrap(), (300, true));
    }
}

#[test]
fn a_plain_thread_waits_inside_a_segment() {
    start(2);
    let (tx, rx) = chan::bounded(0);
    go(move || {
        for n in 0..10 {
            sleep(Duration::from_millis(1));
            tx.send(n).unwrap();
        }
    });
    let plain = thread::spawn(move || {
        let mut got = Vec::new();
        nest(5_000, &mut || got.extend(rx.iter()));
        got
    });
    assert_eq!(plain.join().unwrap(), (0..10).collect::<Vec<i32>>());
}

#[test]
fn code_without_grow_has_a_whole_segment_for_itself() {
    // Grows the segment page by page and step by step, on a plain thread too.
    fn plain(levels: u32) -> u32 {
        let frame = black_box([levels as u8; 512]);
        if levels == 0 {
            return 0;
        }
        plain(levels - 1) + u32::from(frame[7] == levels as u8)
    }
    let levels = everywhere(|| grow(900 << 10, || plain(500)));
    assert_eq!(levels, [500; 3]);
}

#[test]
fn a_small_red_zone_still_leaves_room_for_the_crossing() {
    #[goroutines::grow(red_zone = 1)]
    fn tight(levels: u64) -> u64 {
        if levels == 0 {
            0
        } else {
            1 + tight(levels - 1)
        }
    }
    assert_eq!(everywhere(|| tight(200_000)), [200_000; 3]);
}

#[test]
fn a_red_zone_above_the_largest_stack_is_named_with_the_remedy() {
    let texts = everywhere(|| {
        let payload = catch_unwind(|| grow(usize::MAX, || ())).unwrap_err();
        payload.downcast_ref::<String>().unwrap().clone()
    });
    for text in texts {
        assert!(text.contains("goroutines::grow"), "{text}");
        assert!(text.contains(&usize::MAX.to_string()), "{text}");
        assert!(text.contains("ask for at most"), "{text}");
    }
}

#[test]
fn crossing_the_edge_again_and_again_uses_the_same_segment() {
    let places = everywhere(|| {
        let mut places = std::collections::HashSet::new();
        let mut crossings = 0;
        // Somewhere on the way down the edge is one call away; each level crosses it if it is.
        fn at_each_level(levels: usize, look: &mut dyn FnMut()) {
            let frame = black_box([0_u8; 1024]);
            for _ in 0..3 {
                look();
            }
            if levels > usize::from(frame[levels % 1024]) {
                at_each_level(levels - 1, look);
            }
        }
        at_each_level(20, &mut || {
            // Larger than what is left anywhere here.
            grow(400 << 10, || {
                places.insert((&raw const crossings).addr());
                let local = black_box(1_u8);
                places.insert((&raw const local).addr() >> 20);
                crossings += 1;
            });
        });
        (places.len(), crossings)
    });
    for (places, crossings) in places {
        assert_eq!(crossings, 63);
        assert_eq!(places, 2, "one address, and one window of a megabyte");
    }
}

#[test]
fn a_goroutine_may_grow_in_a_destructor_while_it_unwinds() {
    struct Deep;
    impl Drop for Deep {
        fn drop(&mut self) {
            assert!(thread::panicking());
            assert_eq!(nest(2_000, &mut || yield_now()), 2_000);
            assert!(thread::panicking());
        }
    }
    start(2);
    let failed = go(|| {
        let _deep = Deep;
        panic!("down");
    });
    let payload = failed.join().unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"down"));
}

#[test]
fn results_of_any_size_come_back_whole() {
    let results = everywhere(|| {
        let big = grow(600 << 10, || black_box([7_u64; 100]));
        let text = grow(600 << 10, || String::from("on the heap"));
        grow(600 << 10, || ());
        (big.iter().sum::<u64>(), text)
    });
    for (sum, text) in results {
        assert_eq!((sum, text.as_str()), (700, "on the heap"));
    }
}

#[test]
fn backtraces_go_through_all_segments_to_the_root() {
    #[inline(never)]
    fn on_the_own_stack() -> String {
        black_box(grow(400 << 10, on_the_first_segment))
    }
    #[inline(never)]
    fn on_the_first_segment() -> String {
        black_box(grow(2 << 20, on_the_second_segment))
    }
    #[inline(never)]
    fn on_the_second_segment() -> String {
        std::backtrace::Backtrace::force_capture().to_string()
    }
    let [default, small, plain] = everywhere(on_the_own_stack);
    for trace in [&default, &small, &plain] {
        for function in ["second_segment", "first_segment", "own_stack"] {
            let name = format!("on_the_{function}");
            assert!(trace.contains(&name), "no {name} in\n{trace}");
        }
    }
    assert!(default.contains("::cpu::root"), "{default}");
    assert!(plain.contains("library/std/src/thread"), "{plain}");
}

/// What the attribute has to leave as it was.
mod attribute {
    use super::*;

    struct Tree {
        value: u32,
        children: Vec<Tree>,
    }

    impl Tree {
        #[goroutines::grow]
        fn sum(&self) -> u32 {
            self.value + self.children.iter().map(Tree::sum).sum::<u32>()
        }

        #[goroutines::grow]
        fn double(&mut self) {
            self.value *= 2;
            for child in &mut self.children {
                child.double();
            }
        }

        #[goroutines::grow(red_zone = 16 << 10)]
        fn into_values(self, mut values: Vec<u32>) -> Vec<u32> {
            values.push(self.value);
            for child in self.children {
                values = child.into_values(values);
            }
            values
        }

        /// The first, of those below too.
        #[goroutines::grow]
        fn find<'a, P>(&'a self, wanted: &P) -> Option<&'a Tree>
        where
            P: Fn(u32) -> bool + ?Sized,
        {
            if wanted(self.value) {
                return Some(self);
            }
            self.children.iter().find_map(|child| child.find(wanted))
        }

        #[goroutines::grow]
        fn last(&mut self) -> &mut Tree {
            match self.children.is_empty() {
                true => self,
                false => self.children.last_mut().unwrap().last(),
            }
        }
    }

    fn tree() -> Tree {
        let leaf = |value| Tree {
            value,
            children: Vec::new(),
        };
        Tree {
            value: 1,
            children: vec![leaf(2), leaf(3)],
        }
    }

    #[test]
    fn methods_keep_their_self_and_their_lifetimes() {
        let mut tree = tree();
        assert_eq!(tree.sum(), 6);
        tree.double();
        assert_eq!(tree.find(&|n| n == 4).unwrap().value, 4);
        assert!(tree.find(&|n| n == 5).is_none());
        tree.last().value = 7;
        assert_eq!(tree.into_values(vec![0]), [0, 2, 4, 7]);
    }

    #[goroutines::grow]
    fn parse(text: &str) -> Result<u32, Box<dyn std::error::Error>> {
        let Some((head, rest)) = text.split_once(',') else {
            return Ok(text.parse()?);
        };
        Ok(head.parse::<u32>()? + parse(rest)?)
    }

    #[test]
    fn return_and_question_mark_leave_the_function() {
        assert_eq!(parse("1,2,3").unwrap(), 6);
        assert!(parse("1,x,3").is_err());
    }

    #[goroutines::grow]
    fn patterns(
        (a, mut b): (u32, u32),
        [first, .., last]: [u32; 4],
        mut c: u32,
        _: String,
        &d: &u32,
    ) -> u32 {
        b += 1;
        c += b;
        a + b + c + d + first + last
    }

    #[goroutines::grow]
    fn shown(what: impl Display, times: usize) -> impl Iterator<Item = String> {
        let text = what.to_string();
        (0..times).map(move |n| format!("{text}{n}"))
    }

    #[goroutines::grow]
    fn generic<T: Clone, const N: usize>(value: &T) -> [T; N] {
        std::array::from_fn(|_| value.clone())
    }

    #[goroutines::grow]
    fn never(code: u32) -> ! {
        panic!("code {code}")
    }

    #[goroutines::grow]
    extern "C" fn of_c(n: i32) -> i32 {
        n + 1
    }

    /// # Safety
    ///
    /// `place` is valid for reads.
    #[goroutines::grow]
    unsafe fn of_unsafe(place: *const u32) -> u32 {
        // SAFETY: says the caller.
        unsafe { *place }
    }

    #[test]
    fn arguments_and_results_of_every_shape() {
        let text = String::from("dropped unseen");
        assert_eq!(patterns((1, 2), [10, 0, 0, 20], 5, text, &100), 142);
        assert_eq!(shown(7, 2).collect::<Vec<_>>(), ["70", "71"]);
        assert_eq!(generic::<_, 3>(&"x"), ["x"; 3]);
        assert_eq!(of_c(1), 2);
        let pointer: extern "C" fn(i32) -> i32 = of_c;
        assert_eq!(pointer(2), 3);
        // SAFETY: a reference is valid.
        assert_eq!(unsafe { of_unsafe(&9) }, 9);
        let payload: Box<dyn Any + Send> = catch_unwind(|| never(3)).unwrap_err();
        assert_eq!(payload.downcast_ref::<String>().unwrap(), "code 3");
    }

    thread_local! {
        static DROPPED: Cell<u32> = const { Cell::new(0) };
    }

    struct Says(u32);

    impl Drop for Says {
        fn drop(&mut self) {
            DROPPED.set(DROPPED.get() * 10 + self.0);
        }
    }

    #[goroutines::grow]
    fn drops(one: Says, _: Says, three: Says, (four, _five): (Says, Says)) {
        let _six = Says(6);
        let _ = (&three, &one, &four);
    }

    fn drops_without(one: Says, three: Says, (four, _five): (Says, Says)) {
        let _six = Says(6);
        let _ = (&three, &one, &four);
    }

    #[test]
    fn arguments_are_dropped_in_their_order() {
        drops_without(Says(1), Says(3), (Says(4), Says(5)));
        let plain = DROPPED.replace(0);
        assert_eq!(plain, 65431);
        drops(Says(1), Says(2), Says(3), (Says(4), Says(5)));
        // What is not bound was never moved into the body, so it goes last.
        assert_eq!(DROPPED.get(), plain * 10 + 2);
    }
}
