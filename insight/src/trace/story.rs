//! What the events of all threads mean, one after the other: which goroutine runs on which P and thread from when to when,
//! and which one has made it ready.
//!
//! ```text
//!  P 1     |█ handler █|      |█ handler ██████████|      a slice from `Run` to `Left`, or until the P is taken
//!  thread  |█ handler █|      |█ handler ██████████|      the same on the thread; a blocking call, which needs no P, and
//!                      ·ready·▲                            sleeping, are slices there
//!                             └ a flow from the moment at which it was made ready
//! ```
//!
//! Events may be missing: they begin in the middle of what a thread does, and some are overwritten before they are read. So
//! each is taken as what it says, and what contradicts it is closed.

mod on_thread;

use std::{collections::HashMap, sync::Arc};

use goroutines_sched::{Event, WaitReason, What, Whose};

use super::{
    merge::Merge,
    sink::{Flow, Sink, Slice, Track, Value},
};

/// Why a goroutine leaves that does not wait.
pub(crate) const YIELDS: &str = "yields or ends";

/// What is known of a goroutine.
#[derive(Default)]
struct Goroutine {
    name: Option<Arc<str>>,
    state: State,
    /// The regions that it is in: they are closed while it does not run.
    regions: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// It was not seen yet, or waits.
    #[default]
    Waits,
    /// It was made ready, and runs next: the flow that ends there.
    Ready(u64),
    /// It is in a queue, because it has yielded.
    Yields,
    Runs,
}

/// What is known of a thread.
struct Thread {
    track: Track,
    p: Option<u32>,
    runs: Option<u64>,
    /// Slices that are open: of the goroutine, and in it.
    open: Vec<Slice>,
    /// The regions of a plain thread.
    regions: Vec<&'static str>,
}

/// The slices that are open on a P: how many, and of which ring.
#[derive(Clone, Copy, Default)]
struct OpenP {
    ring: usize,
    depth: usize,
}

pub(super) struct Story {
    pub(super) sink: Box<dyn Sink + Send>,
    goroutines: HashMap<u64, Goroutine>,
    threads: Vec<Thread>,
    ps: HashMap<u32, OpenP>,
    /// The latest moment.
    now: u64,
    flows: u64,
}

impl Story {
    pub(super) fn new(sink: Box<dyn Sink + Send>) -> Story {
        Story {
            sink,
            goroutines: HashMap::new(),
            threads: Vec::new(),
            ps: HashMap::new(),
            now: 0,
            flows: 0,
        }
    }

    /// A goroutine that there was before.
    pub(super) fn name(&mut self, goroutine: u64, name: &str) {
        let known = self.goroutines.entry(goroutine).or_default();
        known.name.get_or_insert_with(|| Arc::from(name));
    }

    /// The ring with the next number.
    pub(super) fn thread(&mut self, whose: Whose) {
        let ring = self.threads.len();
        self.sink.thread(ring, whose);
        self.threads.push(Thread {
            track: Track::Thread(ring),
            p: None,
            runs: None,
            open: Vec::new(),
            regions: Vec::new(),
        });
    }

    pub(super) fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Slots of `ring` were overwritten.
    fn lost(&mut self, ring: usize, count: u64) {
        self.close_all(ring);
        let track = self.threads[ring].track;
        let args = [("events", Value::Number(count))];
        self.sink
            .instant(track, self.now, "events lost", &args, Flow::None);
    }

    /// The next event, which is of `ring`. `merge` has those that come after it, and `skew` are the ticks by which the
    /// clocks of two threads may differ.
    pub(super) fn tell(
        &mut self,
        ring: usize,
        event: Event,
        at: u64,
        merge: &mut Merge,
        skew: u64,
    ) {
        self.advance(at);
        match event.what {
            What::Run { goroutine, p } => {
                let waits = |g: &Goroutine| g.state == State::Waits;
                if self.goroutines.get(&goroutine).is_none_or(waits)
                    && let Some(waker) = merge.take_ready(goroutine, event.ticks + skew)
                {
                    self.ready(waker, goroutine, "ready");
                }
                self.run(ring, goroutine, p);
            }
            What::Runs { goroutine, p } => self.run(ring, goroutine, p),
            What::OnG0 => self.close_all(ring),
            What::Left { reason, object } => self.left(ring, reason, object),
            What::End { goroutine } => drop(self.goroutines.remove(&goroutine)),
            What::New {
                goroutine,
                spawned_as,
            } => {
                // Its own name may have come before.
                self.name(goroutine, spawned_as);
                self.ready(ring, goroutine, "go");
            }
            What::Name { goroutine, name } => {
                self.goroutines.entry(goroutine).or_default().name = Some(Arc::from(name));
            }
            What::Ready { goroutine } => self.ready(ring, goroutine, "ready"),
            What::StartP { p } => self.start_p(ring, p),
            What::StopP { p } => self.stop_p(ring, p),
            What::Retake { p } => self.taken(ring, p, "retake"),
            What::Take { p } => self.taken(ring, p, "take"),
            What::Lost { slots } => self.lost(ring, slots),
            other => self.on_thread(ring, other),
        }
    }

    /// No event follows.
    pub(super) fn finish(&mut self, at: u64) {
        self.advance(at);
        (0..self.threads.len()).for_each(|ring| self.close_all(ring));
        let mut left: Vec<u32> = self.ps.keys().copied().collect();
        left.sort_unstable();
        left.into_iter().for_each(|p| self.close_p(p, &[]));
    }

    fn advance(&mut self, at: u64) {
        self.now = self.now.max(at);
    }

    fn name_of(&self, goroutine: u64) -> Arc<str> {
        let name = self.goroutines.get(&goroutine);
        match name.and_then(|known| known.name.clone()) {
            Some(name) => name,
            None => Arc::from(format!("goroutine {goroutine}")),
        }
    }

    fn run(&mut self, ring: usize, goroutine: u64, p: Option<u32>) {
        self.close_all(ring);
        self.threads[ring].p = p;
        self.threads[ring].runs = Some(goroutine);
        let known = self.goroutines.entry(goroutine).or_default();
        let flow = match std::mem::replace(&mut known.state, State::Runs) {
            State::Ready(flow) => Flow::Ends(flow),
            _ => Flow::None,
        };
        // On the P, where there is one: there are the arrows.
        let on_thread = if p.is_some() { Flow::None } else { flow };
        self.open_goroutine(ring, goroutine, p, flow);
        let track = self.threads[ring].track;
        let (name, args) = (
            self.name_of(goroutine),
            [("goroutine", Value::Number(goroutine))],
        );
        self.sink
            .begin(track, self.now, Slice::Run, &name, &args, on_thread);
        self.threads[ring].open.push(Slice::Run);
        let regions = self.goroutines.get(&goroutine).map(|g| g.regions.clone());
        for name in regions.unwrap_or_default() {
            self.begin(ring, Slice::Region, name, &[]);
        }
    }

    /// The slice of `goroutine` on its P begins.
    fn open_goroutine(&mut self, ring: usize, goroutine: u64, p: Option<u32>, flow: Flow) {
        let Some(p) = p else { return };
        self.close_p(p, &[]);
        let name = self.name_of(goroutine);
        let args = [("goroutine", Value::Number(goroutine))];
        self.sink
            .begin(Track::P(p), self.now, Slice::Run, &name, &args, flow);
        self.ps.insert(p, OpenP { ring, depth: 1 });
    }

    fn close_p(&mut self, p: u32, args: &[(&'static str, Value<'_>)]) {
        let open = self.ps.remove(&p).unwrap_or_default();
        for depth in (0..open.depth).rev() {
            let args = if depth == 0 { args } else { &[] };
            self.sink.end(Track::P(p), self.now, args);
        }
    }

    /// The P on which the slices of `ring` are open.
    fn own_p(&self, ring: usize) -> Option<u32> {
        let p = self.threads[ring].p?;
        self.ps
            .get(&p)
            .is_some_and(|open| open.ring == ring)
            .then_some(p)
    }

    /// Everything that is open on the thread ends, and what it has open on its P.
    fn close_all(&mut self, ring: usize) {
        self.close_with(ring, &[]);
        self.threads[ring].runs = None;
    }

    fn close_with(&mut self, ring: usize, args: &[(&'static str, Value<'_>)]) {
        if let Some(p) = self.own_p(ring) {
            self.close_p(p, args);
        }
        let thread = &mut self.threads[ring];
        while thread.open.pop().is_some() {
            let args = if thread.open.is_empty() { args } else { &[] };
            self.sink.end(thread.track, self.now, args);
        }
    }

    fn left(&mut self, ring: usize, reason: Option<WaitReason>, object: u64) {
        let Some(goroutine) = self.threads[ring].runs.take() else {
            return self.close_all(ring);
        };
        let text = reason.map(|reason| reason.to_string());
        let text = text.as_deref().unwrap_or(YIELDS);
        let mut args = vec![("leaves", Value::Text(text))];
        if object != 0 {
            args.push(("object", Value::Address(object)));
        }
        self.close_with(ring, &args);
        let known = self.goroutines.entry(goroutine).or_default();
        known.state = match reason {
            Some(_) => State::Waits,
            None => State::Yields,
        };
    }

    fn ready(&mut self, ring: usize, goroutine: u64, how: &'static str) {
        if goroutine == 0 {
            return; // a thread
        }
        let known = self.goroutines.entry(goroutine).or_default();
        let flow = match known.state {
            State::Waits => {
                self.flows += 1;
                known.state = State::Ready(self.flows);
                Flow::Begins(self.flows)
            }
            // Two threads that made it ready, or one that wrote two events.
            State::Ready(_) | State::Yields => return,
            // It waits with its thread.
            State::Runs => Flow::None,
        };
        let name = self.name_of(goroutine);
        let args = [
            ("goroutine", Value::Number(goroutine)),
            ("name", Value::Text(&name)),
        ];
        let track = self.place(ring);
        self.sink.instant(track, self.now, how, &args, flow);
    }

    /// Where a moment of the thread is shown: on its P, if it has one.
    fn place(&self, ring: usize) -> Track {
        match self.own_p(ring) {
            Some(p) => Track::P(p),
            None => self.threads[ring].track,
        }
    }

    fn start_p(&mut self, ring: usize, p: u32) {
        if let Some(old) = self.own_p(ring) {
            self.close_p(old, &[]);
        }
        self.threads[ring].p = Some(p);
        // In the middle of a goroutine: it goes on with another P.
        if let Some(goroutine) = self.threads[ring].runs {
            self.open_goroutine(ring, goroutine, Some(p), Flow::None);
        }
    }

    fn stop_p(&mut self, ring: usize, p: u32) {
        if self.own_p(ring) == Some(p) {
            self.close_p(p, &[]);
        }
        self.threads[ring].p = None;
    }

    /// The monitor has taken `p` from the thread that had it.
    fn taken(&mut self, ring: usize, p: u32, how: &'static str) {
        let args = [("leaves", Value::Text(how))];
        self.close_p(p, &args);
        for thread in &mut self.threads {
            thread.p = thread.p.filter(|&other| other != p);
        }
        let track = self.threads[ring].track;
        let args = [("P", Value::Number(u64::from(p)))];
        self.sink.instant(track, self.now, how, &args, Flow::None);
    }
}
