//! Goroutines that are on a thread: each thread is asked by a signal (stack/src/faults/sample.rs), and answers for the
//! goroutine that it finds there. All are asked at once.
//!
//! ```text
//! the asking thread, for each M                      the handler on the thread of the M, on its signal stack
//! U1 asked = the slot                                V1 slot = asked, asked = null (swap); null: too late
//! U2 send the signal                                 V2 walk the stack that was interrupted, fill the slot
//! U3 wait until it is done, all of them together     V3 done = true
//! U4 time is up: asked = null (swap)
//! ```
//!
//! - *U4 before V1*: U4 finds its slot, so there will be no answer to it; the handler that comes late finds null.
//! - *V1 before U4*: U4 finds null, and V3 comes soon: nothing in V2 waits.
//!
//! So a slot is used by the handler between V1 and V3 only, and the asking thread stays until then. One thread asks at a
//! time. An M whose thread has ended, or is another's meanwhile, does not answer, or answers for itself.
//!
//! What a walk needs is made before U1; the handler allocates nothing and takes no lock.

use std::{
    cell::{Cell, UnsafeCell},
    io, ptr,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines_stack as stack;

use crate::{
    global::sched,
    gmp::{g::G, identity::Identity, m::M},
    observe::interrupted::Interrupted,
    protocol::{status::Status, sync::lock, wait_reason::WaitReason},
    sys::tasks,
};

/// The pause between two looks for answers.
const PAUSE: Duration = Duration::from_micros(50);

/// Bytes of a name that are kept.
const NAME: usize = 64;

/// One thread asks at a time.
static ASKING: Mutex<()> = Mutex::new(());

/// What walks a stack in a signal handler.
pub trait Walks: Send {
    /// Called in a signal handler: allocates nothing, takes no lock, does not panic. Of code that is no goroutine's, or is in
    /// a switch, there is nothing to keep.
    fn walk(&mut self, stack: &mut Interrupted<'_>);
}

impl Walks for &mut dyn Walks {
    fn walk(&mut self, stack: &mut Interrupted<'_>) {
        (**self).walk(stack);
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Silence {
    /// Another handler of SIGURG has replaced the runtime's.
    Replaced,
    /// The thread blocks SIGURG.
    Blocks,
    /// The thread did not run in the time that it had, or there is no such thread any more.
    Late,
}

/// What a handler has seen of the goroutine that it found.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) g: &'static G,
    pub(crate) id: u64,
    pub(crate) spawned_as: &'static str,
    pub(crate) status: Status,
    pub(crate) reason: Option<WaitReason>,
    pub(crate) object: usize,
    /// The number of the P of its M.
    pub(crate) proc: Option<usize>,
    name: Option<([u8; NAME], usize)>,
    /// Whether the walk has begun in its code, and not in that of its M between two goroutines.
    pub(crate) is_walked: bool,
}

impl Found {
    /// `None` if no goroutine runs here.
    fn of(interrupted: &Interrupted<'_>) -> Option<Found> {
        let g = interrupted.g?;
        let name = g.identity.get().and_then(Identity::name).map(|name| {
            let mut kept = [0; NAME];
            let len = name.floor_char_boundary(NAME);
            kept[..len].copy_from_slice(&name.as_bytes()[..len]);
            (kept, len)
        });
        (interrupted.goroutine() != 0).then(|| Found {
            g,
            id: interrupted.goroutine(),
            spawned_as: g.spawned_as(),
            status: g.status().get(),
            reason: g.status().reason(),
            object: g.waits_on(),
            proc: interrupted.m.and_then(proc_of),
            name,
            is_walked: interrupted.is_goroutine() && !interrupted.is_switching(),
        })
    }

    pub(crate) fn name(&self) -> Option<&str> {
        let (bytes, len) = self.name.as_ref()?;
        str::from_utf8(&bytes[..*len]).ok()
    }
}

/// What the handler knows of a slot.
struct Head {
    /// V2.
    fill: unsafe fn(*const Head, &mut Interrupted<'_>),
    is_done: AtomicBool,
}

#[repr(C)]
struct Slot<W> {
    head: Head,
    walker: UnsafeCell<W>,
    found: Cell<Option<Found>>,
}

impl<W: Walks> Slot<W> {
    fn new(walker: W) -> Slot<W> {
        let head = Head {
            fill: Self::fill,
            is_done: AtomicBool::new(false),
        };
        Slot {
            head,
            walker: UnsafeCell::new(walker),
            found: Cell::new(None),
        }
    }

    /// # Safety
    ///
    /// `head` is that of a slot of this type, between V1 and V3, in the handler that has it.
    unsafe fn fill(head: *const Head, interrupted: &mut Interrupted<'_>) {
        // SAFETY: the head is the first field; the slot is this handler's alone until V3.
        let slot = unsafe { &*head.cast::<Slot<W>>() };
        slot.found.set(Found::of(interrupted));
        // SAFETY: between V1 and V3 no other code uses the slot.
        unsafe { &mut *slot.walker.get() }.walk(interrupted);
    }
}

/// How far a question is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// A handler may have the slot.
    Asked,
    Answered,
    Silent,
}

/// One M that is asked, and its answer.
pub(crate) struct Question<W> {
    m: &'static M,
    slot: Box<Slot<W>>,
    progress: Progress,
}

impl<W: Walks> Question<W> {
    pub(crate) fn new(m: &'static M, walker: W) -> Question<W> {
        Question {
            m,
            slot: Box::new(Slot::new(walker)),
            progress: Progress::Silent,
        }
    }

    pub(crate) fn m(&self) -> &'static M {
        self.m
    }

    /// The goroutine that was found.
    pub(crate) fn found(&self) -> Option<Found> {
        match self.progress {
            Progress::Answered => self.slot.found.get(),
            _ => None,
        }
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.progress == Progress::Answered
    }

    /// What has walked.
    pub(crate) fn walker(self) -> W {
        let Slot { walker, .. } = *self.slot;
        walker.into_inner()
    }

    /// U1 and U2.
    fn ask(&mut self) {
        // Of all of the slot: the handler knows it by its head, and fills in the rest.
        let slot = (&raw const *self.slot).cast_mut();
        // Release: partner is V1; the slot is made before it.
        self.m.asked.store(slot.cast(), Ordering::Release);
        self.progress = Progress::Asked;
        if !stack::ask(self.m.thread()) {
            self.give_up();
        }
    }

    /// Notes whether the answer is there. Returns whether it is decided.
    fn look(&mut self) -> bool {
        // Acquire: partner is V3.
        if self.progress == Progress::Asked && self.slot.head.is_done.load(Ordering::Acquire) {
            self.progress = Progress::Answered;
        }
        self.progress != Progress::Asked
    }

    /// U4. A handler that has the slot keeps it until V3.
    fn give_up(&mut self) {
        // Relaxed: nothing is read where there is no answer, and `look` acquires where there is one.
        let slot = self.m.asked.swap(ptr::null_mut(), Ordering::Relaxed);
        if !slot.is_null() {
            self.progress = Progress::Silent;
        }
    }
}

/// Installs the handler, if it is not yet.
///
/// # Errors
///
/// When the runtime was not started, or the system refuses.
pub(crate) fn install() -> io::Result<()> {
    stack::install_sampling(answer)
}

/// U1 to U4, for all of `questions`, at most `patience` long. Each is for another M.
pub(crate) fn ask<W: Walks>(questions: &mut [Question<W>], patience: Duration) {
    if questions.is_empty() || install().is_err() {
        return;
    }
    let _asking = lock(&ASKING);
    questions.iter_mut().for_each(Question::ask);
    let end = Instant::now() + patience;
    while !all_look(questions) && Instant::now() < end {
        thread::sleep(PAUSE);
    }
    for question in questions
        .iter_mut()
        .filter(|one| one.progress == Progress::Asked)
    {
        question.give_up();
    }
    while !all_look(questions) {
        thread::sleep(PAUSE);
    }
}

/// Looks at each. Returns whether all are decided.
fn all_look<W: Walks>(questions: &mut [Question<W>]) -> bool {
    let mut all = true;
    for question in questions {
        all &= question.look();
    }
    all
}

/// The number of the P that `m` holds; also by another thread than its own, as a snapshot.
pub(crate) fn proc_of(m: &'static M) -> Option<usize> {
    let mut ps = sched::get()?.procs.all().iter();
    ps.find(|p| p.owner().is_some_and(|owner| ptr::eq(owner, m)))
        .map(|p| p.number)
}

/// Why `m`, which was asked, has not answered.
pub(crate) fn silence(m: &M) -> Silence {
    if !stack::handles_sampling() {
        Silence::Replaced
    } else if tasks::blocks(m.thread(), stack::SAMPLING_SIGNAL) {
        Silence::Blocks
    } else {
        Silence::Late
    }
}

/// V1 to V3: what the handler calls.
fn answer(context: *const libc::c_void) {
    // SAFETY: called by the handler of sample.rs with its third argument, before it returns.
    let mut interrupted = unsafe { Interrupted::of(context) };
    let Some(m) = interrupted.m else {
        return;
    };
    // Acquire: partner is U1.
    let slot = m
        .asked
        .swap(ptr::null_mut(), Ordering::Acquire)
        .cast::<Head>();
    if slot.is_null() {
        return;
    }
    // SAFETY: U1 has stored the head of a slot, which is this handler's alone from V1 to V3.
    unsafe {
        ((*slot).fill)(slot, &mut interrupted);
        // Release: partner is `is_done`.
        (*slot).is_done.store(true, Ordering::Release);
    }
}
