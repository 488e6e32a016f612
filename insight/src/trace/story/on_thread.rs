//! What a thread does beside running goroutines, and what goroutines do while they run.

use goroutines_sched::What;

use super::Story;
use crate::trace::sink::{Flow, Slice, Track, Value};

impl Story {
    /// A slice begins on the thread, and on the P where it runs a goroutine.
    pub(super) fn begin(
        &mut self,
        ring: usize,
        slice: Slice,
        name: &str,
        args: &[(&'static str, Value<'_>)],
    ) {
        let track = self.threads[ring].track;
        self.sink
            .begin(track, self.now, slice, name, args, Flow::None);
        self.threads[ring].open.push(slice);
        if let Some(p) = self.own_p(ring) {
            self.sink
                .begin(Track::P(p), self.now, slice, name, args, Flow::None);
            self.ps.entry(p).or_default().depth += 1;
        }
    }

    /// The slice that [`Story::begin`] began ends, with those in it.
    fn end(&mut self, ring: usize, which: Slice) {
        let open = &self.threads[ring].open;
        let Some(at) = open.iter().rposition(|&open| open == which) else {
            return;
        };
        let count = open.len() - at;
        for _ in 0..count {
            self.threads[ring].open.pop();
            self.sink.end(self.threads[ring].track, self.now, &[]);
            if let Some(p) = self.own_p(ring)
                && let Some(open) = self.ps.get_mut(&p)
                && open.depth > 1
            {
                open.depth -= 1;
                self.sink.end(Track::P(p), self.now, &[]);
            }
        }
    }

    fn regions(&mut self, ring: usize) -> &mut Vec<&'static str> {
        match self.threads[ring].runs {
            Some(goroutine) => &mut self.goroutines.entry(goroutine).or_default().regions,
            None => &mut self.threads[ring].regions,
        }
    }

    /// Events that begin or end no goroutine.
    pub(super) fn on_thread(&mut self, ring: usize, what: What) {
        let number = Value::Number;
        let moment = |name: &'static str, arg: &'static str, value: u64| (name, Some((arg, value)));
        let (name, arg) = match what {
            What::Waits { reason, object } => {
                let text = reason.map(|reason| reason.to_string());
                let args = [("object", Value::Address(object))];
                let name = text.as_deref().unwrap_or("waits");
                return self.begin(ring, Slice::Wait, name, &args);
            }
            What::GoesOn => return self.end(ring, Slice::Wait),
            What::CallBegins => return self.begin(ring, Slice::Call, "blocking call", &[]),
            What::CallEnds => return self.end(ring, Slice::Call),
            What::Sleeps { in_poll } => {
                let name = if in_poll {
                    "sleeps in the poll"
                } else {
                    "sleeps"
                };
                return self.begin(ring, Slice::Sleep, name, &[]);
            }
            What::Rises => return self.end(ring, Slice::Sleep),
            What::RegionBegins { name } => {
                self.regions(ring).push(name);
                return self.begin(ring, Slice::Region, name, &[]);
            }
            What::RegionEnds { .. } => {
                self.regions(ring).pop();
                return self.end(ring, Slice::Region);
            }
            What::Mark { name } => (name, None),
            What::Wake => ("wakes an M", None),
            What::Spin => ("spins", None),
            What::HandOff { p } => moment("hand-off", "P", u64::from(p)),
            What::Steal { p } => moment("steals", "P", u64::from(p)),
            What::Timers { count } => moment("timers", "count", count),
            What::Poll { count } => moment("poll", "events", count),
            What::Segment { bytes } => moment("segment", "bytes", bytes),
            What::CopyOut { goroutine } => moment("copy out", "goroutine", goroutine),
            What::CopyIn { goroutine } => moment("copy in", "goroutine", goroutine),
            What::Hog { goroutine } => moment("hog", "goroutine", goroutine),
            _ => return,
        };
        let args: Vec<_> = arg
            .into_iter()
            .map(|(key, value)| (key, number(value)))
            .collect();
        let track = self.place(ring);
        self.sink.instant(track, self.now, name, &args, Flow::None);
    }
}
