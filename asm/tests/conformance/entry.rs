//! What an entry finds that is not wrapped by a fiber: an aligned stack, and a chain of frame pointers that ends.

use crate::fiber::{Fiber, Stack};
use goroutines_asm::{Chain, Context, Native, Port, prepare, prepare_linked, switch};
use std::cell::Cell;
use std::hint::black_box;

#[repr(align(16))]
struct Aligned(#[allow(dead_code, reason = "only its address counts")] [u8; 16]);

/// The address of a local for which the compiler relies on the alignment of the stack pointer.
#[inline(never)]
fn address_of_aligned_local() -> usize {
    let local = Aligned([0; 16]);
    black_box(&raw const local) as usize
}

/// What an entry that is not wrapped by a fiber has seen, and where it goes back to.
struct Seen {
    outside: Cell<Context>,
    values: [Cell<usize>; 3],
}

impl Seen {
    fn new() -> Self {
        Self {
            outside: Cell::new(Context::NULL),
            values: [const { Cell::new(0) }; 3],
        }
    }

    /// Leaves the entry for good.
    fn leave(&self) -> ! {
        let mut own = Context::NULL;
        // SAFETY: whoever entered waits in the switch that wrote `outside`.
        unsafe { switch(&raw mut own, self.outside.get(), 0) };
        unreachable!("an entry was resumed after it had left")
    }
}

#[test]
fn entry_starts_with_an_aligned_stack() {
    unsafe extern "C" fn start(seen: usize) -> ! {
        let local = Aligned([0; 16]);
        // SAFETY: the address of a `Seen` that waits for us.
        let seen = unsafe { &*(seen as *const Seen) };
        seen.values[0].set(black_box(&raw const local) as usize);
        seen.values[1].set(address_of_aligned_local());
        seen.leave()
    }
    for below in (0..16).map(|i| i * Native::STACK_ALIGN) {
        let stack = Stack::new();
        let seen = Seen::new();
        // SAFETY: the lowered top is still aligned and inside the stack; the fresh context is entered once.
        unsafe {
            switch(
                seen.outside.as_ptr(),
                prepare(stack.top().sub(below), start),
                &raw const seen as usize,
            )
        };
        for address in [&seen.values[0], &seen.values[1]] {
            assert_eq!(
                address.get() % 16,
                0,
                "the stack of an entry is misaligned, top lowered by {below}"
            );
        }
    }
}

/// What a function keeps to have a frame record of its own in all builds: a local aligned by hand needs a frame pointer.
#[repr(align(64))]
struct Wide([usize; 8]);

/// The frame of the function into which this is inlined: its frame pointer, or its stack pointer.
#[inline(always)]
fn innermost() -> usize {
    match Native::CHAIN {
        Chain::FramePointers => Native::frame_pointer() as usize,
        Chain::BackChains { .. } => Native::stack_pointer() as usize,
        Chain::None => 0,
    }
}

/// What the record of `frame`'s function holds: the frame of its caller, and where it returns to.
///
/// # Safety
///
/// `frame` is that of a function that keeps a record, and has not returned.
unsafe fn record_of(frame: usize) -> [usize; 2] {
    // SAFETY: a record is readable; so is the frame of the caller, if there is one.
    unsafe {
        let record = (frame - Native::RECORD_BELOW_FRAME_POINTER) as *const [usize; 2];
        match (Native::CHAIN, record.cast::<usize>().read()) {
            (Chain::BackChains { .. }, 0) => [0, 0],
            (Chain::BackChains { link }, caller) => {
                [caller, ((caller + link) as *const usize).read()]
            }
            _ => record.read(),
        }
    }
}

/// The frame of the caller: see [`record_of`].
///
/// # Safety
///
/// As for [`record_of`].
unsafe fn caller_of(frame: usize) -> usize {
    // SAFETY: the caller's frame is of a function that keeps a record.
    unsafe { record_of(frame)[0] }
}

/// Returns whether compiled code keeps frame records: then the frame pointer is as far from the stack pointer in each call of
/// a function.
#[inline(never)]
fn keeps_records() -> bool {
    if Native::CHAIN != Chain::FramePointers {
        return Native::CHAIN != Chain::None;
    }
    #[inline(never)]
    fn distance(depth: usize) -> usize {
        if depth > 0 {
            return black_box(distance(black_box(depth - 1)));
        }
        (Native::frame_pointer() as usize).wrapping_sub(Native::stack_pointer() as usize)
    }
    distance(3) == distance(7)
}

/// Follows the records from ten calls further in; returns how many there are before the one that is no record, and it.
#[inline(never)]
fn walk(depth: usize) -> (usize, usize) {
    if depth > 0 {
        return black_box(walk(black_box(depth - 1)));
    }
    let mut records = 0;
    let mut frame = innermost();
    while records < 100 && frame > 0x10000 && frame.is_multiple_of(size_of::<usize>()) {
        records += 1;
        // SAFETY: the tests call this only in builds that keep records.
        frame = unsafe { caller_of(frame) };
    }
    (records, frame)
}

#[test]
fn frame_pointer_chain_ends_in_zero() {
    if Native::CHAIN == Chain::None {
        return;
    }
    unsafe extern "C" fn start(seen: usize) -> ! {
        let wide = Wide([0; 8]);
        black_box(&wide.0);
        // SAFETY: the address of a `Seen` that waits for us.
        let seen = unsafe { &*(seen as *const Seen) };
        let frame = innermost();
        seen.values[0].set(frame);
        // SAFETY: this function keeps a record.
        seen.values[1].set(unsafe { caller_of(frame) });
        if keeps_records() {
            let (records, end) = walk(10);
            seen.values[1].set(end);
            seen.values[2].set(records);
        }
        black_box(&wide.0);
        seen.leave()
    }
    let stack = Stack::new();
    let seen = Seen::new();
    // The probe enters with something in the frame pointer that ends no chain.
    let mut record = [0x1111_usize; 4];
    let other = &raw mut record as usize + Native::RECORD_BELOW_FRAME_POINTER;
    let mut registers = vec![other as u64; Native::CALLEE_SAVED.len()];
    let (save, arg) = (seen.outside.as_ptr(), &raw const seen as usize);
    // SAFETY: a fresh context, entered once; a word for every register.
    unsafe {
        Native::probe(
            save,
            prepare(stack.top(), start),
            arg,
            registers.as_mut_ptr(),
        )
    };

    let [frame, end, records] = seen.values.map(Cell::into_inner);
    let bounds = stack.low() as usize..stack.top() as usize;
    assert!(
        bounds.contains(&(frame - Native::RECORD_BELOW_FRAME_POINTER)),
        "the first record is at {frame:#x}"
    );
    assert!(
        records == 0 || (12..20).contains(&records),
        "{records} records, ending in {end:#x}"
    );
    assert_eq!(records > 0, keeps_records(), "no walk");
    assert_eq!(end, 0, "the chain does not end in zero");
}

/// What lies at the top of a linked stack.
#[repr(C, align(16))]
struct Link {
    back: Context,
    own: Context,
    /// The frame pointer that the entry was called with; the record of its root; where `back` resumes, with what frame pointer.
    frame: usize,
    record: [usize; 2],
    resumes: [usize; 2],
    /// What a walk in a build with frame pointers has found.
    walked: Option<(usize, usize)>,
}

/// The frame of the root: its record lies right below the top, or where its stack pointer is.
fn of_root(link: *const Link) -> usize {
    match Native::CHAIN {
        Chain::FramePointers => {
            link as usize - size_of::<[usize; 2]>() + Native::RECORD_BELOW_FRAME_POINTER
        }
        _ => link as usize - Native::HEADROOM,
    }
}

unsafe extern "C" fn linked_start(link: usize) -> ! {
    let wide = Wide([0; 8]);
    black_box(&wide.0);
    let link = link as *mut Link;
    // SAFETY: the test waits, and reads what we write when we are back. This function and the root keep records.
    unsafe {
        let suspended = (*link).back.suspended((*link).back.sp());
        (*link).frame = caller_of(innermost());
        (*link).record = record_of(of_root(link));
        (*link).resumes = match Native::CHAIN {
            Chain::FramePointers => [suspended.fp, suspended.ip],
            _ => [suspended.sp, suspended.ip],
        };
        (*link).walked = keeps_records().then(|| walk(10));
        black_box(&wide.0);
        switch(&raw mut (*link).own, (*link).back, 0);
    }
    unreachable!("a context that has ended is not resumed");
}

#[test]
fn frame_pointer_chain_follows_the_link() {
    if Native::CHAIN == Chain::None {
        return;
    }
    #[inline(never)]
    fn nested(depth: usize, link: *mut Link) -> usize {
        if depth > 0 {
            return black_box(nested(black_box(depth - 1), link));
        }
        // SAFETY: the link lies at the top; we are suspended in it until the entry has switched back.
        unsafe {
            let inside = prepare_linked(link.cast(), linked_start);
            switch(&raw mut (*link).back, inside, link as usize)
        }
    }
    let stack = Stack::new();
    // SAFETY: within the stack, and aligned as it is.
    let link = unsafe { stack.top().cast::<Link>().sub(1) };
    let empty = Link {
        back: Context::NULL,
        own: Context::NULL,
        frame: 0,
        record: [0; 2],
        resumes: [1; 2],
        walked: None,
    };
    // SAFETY: nothing else lives there.
    unsafe { link.write(empty) };
    Fiber::new(|_, link| nested(10, link as *mut Link)).resume(link as usize);
    // SAFETY: the entry is done.
    let seen = unsafe { link.read() };
    assert_eq!(seen.record, seen.resumes, "the record of the root");
    assert_eq!(seen.frame, of_root(link), "the caller of the entry");
    // Eleven of `walk`, the entry, the root, eleven of `nested`, and those of the fiber.
    if let Some((records, end)) = seen.walked {
        assert!(
            (24..40).contains(&records) && end == 0,
            "{records} records, ending in {end:#x}"
        );
    }
}
