//! A trace as a page: HTML that a browser opens without a server, and that loads nothing from elsewhere.
//!
//! ```text
//!  slices and moments (trace/sink.rs)
//!    ├─► tally.rs    how long goroutines ran and waited, and for what; the longest waits
//!    ├─► drawing.rs  the first slices, as a time line
//!    ▼
//!  html.rs           the page, when nothing comes any more
//! ```
//!
//! What it keeps does not grow with the length of the trace: sums, the goroutines that wait, the [`LONGEST`](tally::LONGEST)
//! waits, and the first slices.

mod drawing;
mod html;
mod tally;

use std::{
    collections::{BTreeMap, HashMap},
    time::SystemTime,
};

use goroutines_sched::{self as sched, Whose};

use crate::trace::sink::{Args, Flow, Sink, Slice, Track, Value};
use drawing::{Drawing, Place};
use tally::Tally;

/// Names of goroutines that are told apart. Those of further ones are counted as one.
const NAMES: usize = 1000;

/// Moments that are counted by their names; a program may mark many.
const KINDS: usize = 1000;

/// What was seen so far.
pub(crate) struct Page {
    pid: u32,
    program: String,
    taken: SystemTime,
    /// The first moment, and the last.
    span: Option<(u64, u64)>,
    tracks: BTreeMap<Track, Sums>,
    threads: Vec<Whose>,
    names: Names,
    tally: Tally,
    /// How often a moment came, by its name.
    moments: BTreeMap<Box<str>, u64>,
    lost: u64,
    /// How many faults had grown a stack when it began.
    grown_before: u64,
    drawing: Drawing,
}

/// What a P or a thread did, in nanoseconds.
#[derive(Default)]
struct Sums {
    open: Vec<Opened>,
    slices: u64,
    ran: u64,
    /// Of that, in blocking calls.
    called: u64,
    /// Of that, in waits with the thread.
    waited: u64,
    slept: u64,
}

/// A slice that has not ended.
struct Opened {
    slice: Slice,
    since: u64,
    /// The number of its name, which is the reason if it is a wait.
    name: usize,
    goroutine: u64,
    object: u64,
    place: Option<Place>,
}

/// Names, each once.
struct Names {
    list: Vec<Box<str>>,
    numbers: HashMap<Box<str>, usize>,
}

impl Names {
    fn new() -> Names {
        Names {
            list: vec!["(others)".into()],
            numbers: HashMap::new(),
        }
    }

    fn number(&mut self, name: &str) -> usize {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        if self.list.len() > NAMES {
            return 0;
        }
        self.list.push(name.into());
        self.numbers.insert(name.into(), self.list.len() - 1);
        self.list.len() - 1
    }
}

fn number(args: Args<'_>, key: &str) -> Option<u64> {
    args.iter().find_map(|&(name, value)| match value {
        Value::Number(number) | Value::Address(number) if name == key => Some(number),
        _ => None,
    })
}

fn text<'a>(args: Args<'a>, key: &str) -> Option<&'a str> {
    args.iter().find_map(|&(name, value)| match value {
        Value::Text(text) if name == key => Some(text),
        _ => None,
    })
}

impl Page {
    pub(crate) fn new(pid: u32, program: &str) -> Page {
        Page {
            pid,
            program: program.to_owned(),
            taken: SystemTime::now(),
            span: None,
            tracks: BTreeMap::new(),
            threads: Vec::new(),
            names: Names::new(),
            tally: Tally::default(),
            moments: BTreeMap::new(),
            lost: 0,
            grown_before: sched::growth_faults(),
            drawing: Drawing::default(),
        }
    }

    fn see(&mut self, at: u64) {
        let span = self.span.get_or_insert((at, at));
        span.1 = span.1.max(at);
    }
}

impl Sink for Page {
    fn thread(&mut self, ring: usize, whose: Whose) {
        self.threads.push(whose);
        self.tracks.entry(Track::Thread(ring)).or_default();
    }

    fn begin(
        &mut self,
        track: Track,
        at: u64,
        slice: Slice,
        name: &str,
        args: Args<'_>,
        _flow: Flow,
    ) {
        self.see(at);
        let sums = self.tracks.entry(track).or_default();
        let name = self.names.number(name);
        let outer = sums.open.last().map_or(0, |outer| outer.goroutine);
        let goroutine = number(args, "goroutine").unwrap_or(outer);
        let place = self
            .drawing
            .begin(track, at, sums.open.len(), name, goroutine);
        sums.slices += u64::from(sums.open.is_empty());
        sums.open.push(Opened {
            slice,
            since: at,
            name,
            goroutine,
            object: number(args, "object").unwrap_or(0),
            place,
        });
        if slice == Slice::Run && matches!(track, Track::Thread(_)) {
            self.tally.runs(goroutine, name, at);
        }
    }

    fn end(&mut self, track: Track, at: u64, args: Args<'_>) {
        self.see(at);
        let sums = self.tracks.entry(track).or_default();
        let Some(opened) = sums.open.pop() else {
            return;
        };
        if let Some(place) = opened.place {
            self.drawing.end(place, at);
        }
        let time = at.saturating_sub(opened.since);
        match opened.slice {
            Slice::Run => sums.ran += time,
            Slice::Call => sums.called += time,
            Slice::Wait => sums.waited += time,
            Slice::Sleep => sums.slept += time,
            Slice::Region => {}
        }
        let is_thread = matches!(track, Track::Thread(_));
        match opened.slice {
            Slice::Run if is_thread => {
                let why = text(args, "leaves").map(|why| (why, number(args, "object")));
                self.tally
                    .left(opened.goroutine, opened.name, opened.since, at, why);
            }
            Slice::Wait if is_thread => {
                let outer = sums.open.last().map(|outer| outer.name);
                let why = self.names.list[opened.name].clone();
                self.tally.kept(&opened, outer, &why, at);
            }
            _ => {}
        }
    }

    fn instant(&mut self, _track: Track, at: u64, name: &str, args: Args<'_>, _flow: Flow) {
        self.see(at);
        if let (Some(goroutine), Some(whose)) = (number(args, "goroutine"), text(args, "name")) {
            let whose = self.names.number(whose);
            self.tally.ready(goroutine, whose, at, name == "go");
        }
        if let Some(lost) = number(args, "events").filter(|_| name == "events lost") {
            self.lost += lost;
        }
        if self.moments.len() < KINDS || self.moments.contains_key(name) {
            *self.moments.entry(name.into()).or_default() += 1;
        }
    }

    fn take(&mut self, finished: bool) -> Vec<u8> {
        if !finished {
            return Vec::new();
        }
        if let Some((_, end)) = self.span {
            self.tally.finish(end);
        }
        // Those too that ran nothing.
        for p in sched::proc_numbers() {
            // A P's number has 13 bits.
            self.tracks.entry(Track::P(p as u32)).or_default();
        }
        self.write().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(play: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::new(7, "app<1>");
        play(&mut page);
        String::from_utf8(page.take(true)).expect("text")
    }

    fn run(page: &mut Page, track: Track, at: u64, name: &str, goroutine: u64) {
        let args = [("goroutine", Value::Number(goroutine))];
        page.begin(track, at, Slice::Run, name, &args, Flow::None);
    }

    fn leave(page: &mut Page, track: Track, at: u64, why: &str) {
        let args = [("leaves", Value::Text(why)), ("object", Value::Address(16))];
        page.end(track, at, &args);
    }

    fn ready(page: &mut Page, at: u64, how: &str, name: &str, goroutine: u64) {
        let args = [
            ("goroutine", Value::Number(goroutine)),
            ("name", Value::Text(name)),
        ];
        page.instant(Track::Thread(0), at, how, &args, Flow::None);
    }

    const P: Track = Track::P(3);
    const THREAD: Track = Track::Thread(0);

    #[test]
    fn times_and_counts_are_those_of_the_events() {
        let text = page(|page| {
            page.thread(0, Whose::Scheduler(4711));
            ready(page, 1_000_000, "go", "worker", 5);
            for track in [P, THREAD] {
                run(page, track, 2_000_000, "worker", 5);
            }
            for track in [P, THREAD] {
                leave(page, track, 5_000_000, "chan receive");
            }
            ready(page, 9_000_000, "ready", "worker", 5);
            let args = [("P", Value::Number(1))];
            page.instant(THREAD, 10_000_000, "steals", &args, Flow::None);
            for track in [P, THREAD] {
                run(page, track, 11_000_000, "worker", 5);
                leave(page, track, 11_000_000, "yields or ends");
            }
        });
        for row in [
            // 10 ms long: busy for 3, idle for 7.
            "<tr><td>P 3</td><td>2</td><td>3.000 ms</td><td>7.000 ms</td><td>30.0 %</td></tr>",
            "<tr><td>M 4711</td><td>2</td><td>3.000 ms</td><td>0</td><td>0</td><td>0</td></tr>",
            "<tr><td>chan receive</td><td>1</td><td>4.000 ms</td><td>4.000 ms</td><td>4.000 ms</td></tr>",
            // Made ready at 1 and 9, ran at 2 and 11.
            "<tr><td>worker</td><td>1</td><td>2</td><td>3.000 ms</td><td>4.000 ms</td><td>3.000 ms</td><td>2.000 ms</td></tr>",
            "<tr><td>5</td><td>worker</td><td>chan receive</td><td>0x10</td><td>4.000 ms</td><td>4.000 ms</td></tr>",
            "<tr><td>steals</td><td>1</td></tr>",
        ] {
            assert!(text.contains(row), "no {row}:\n{text}");
        }
        assert_eq!(text.matches("<rect").count(), 4, "{text}");
        assert!(text.contains("the whole trace"), "{text}");
    }

    #[test]
    fn a_wait_that_has_not_ended_counts_up_to_the_end_and_one_with_the_thread_counts_too() {
        let text = page(|page| {
            page.thread(0, Whose::Thread(9));
            run(page, THREAD, 0, "g", 5);
            leave(page, THREAD, 1_000_000, "mutex lock");
            let args = [("object", Value::Address(0x20))];
            page.begin(
                THREAD,
                2_000_000,
                Slice::Wait,
                "condvar wait",
                &args,
                Flow::None,
            );
            page.end(THREAD, 8_000_000, &[]);
        });
        for row in [
            "<td>mutex lock</td><td>0x10</td><td>1.000 ms</td><td>7.000 ms, still waits</td>",
            "<td>thread</td><td>condvar wait</td><td>0x20</td><td>2.000 ms</td><td>6.000 ms</td>",
            "<tr><td>mutex lock</td><td>1</td><td>7.000 ms</td>",
            "<tr><td>condvar wait</td><td>1</td><td>6.000 ms</td>",
        ] {
            assert!(text.contains(row), "no {row}:\n{text}");
        }
    }

    #[test]
    fn names_are_text_and_no_tags() {
        let name = "<script>alert('1\"&')</script>";
        let text = page(|page| {
            page.thread(0, Whose::Scheduler(1));
            run(page, THREAD, 0, name, 5);
            leave(page, THREAD, 1_000_000, "sleep");
            page.instant(THREAD, 1_000_000, name, &[], Flow::None);
        });
        let escaped = "&lt;script&gt;alert(&#39;1&quot;&amp;&#39;)&lt;/script&gt;";
        assert!(text.matches(escaped).count() >= 4, "{text}");
        assert!(!text.contains("alert('"), "{text}");
        // The page's own.
        assert_eq!(text.matches("<script>").count(), 1, "{text}");
        assert!(text.contains("<title>app&lt;1&gt;"), "{text}");
    }

    #[test]
    fn nothing_and_less_than_there_was_are_told() {
        let text = page(|_| {});
        assert!(text.contains("Nothing was recorded."), "{text}");
        assert!(!text.contains("<svg"), "{text}");
        let text = page(|page| {
            page.thread(0, Whose::Others);
            let args = [("events", Value::Number(1234))];
            page.instant(THREAD, 5, "events lost", &args, Flow::None);
            // What never began.
            page.end(THREAD, 6, &[]);
        });
        assert!(text.contains("1 234 events were lost"), "{text}");
    }

    #[test]
    fn the_page_does_not_grow_with_the_trace() {
        let long = |runs: u64| {
            page(|page| {
                page.thread(0, Whose::Scheduler(1));
                for at in 0..runs {
                    run(page, THREAD, at * 1000, &format!("g {at}"), at);
                    leave(page, THREAD, at * 1000 + 500, "chan send");
                    ready(page, at * 1000 + 600, "ready", "g", at);
                    page.instant(THREAD, at, &format!("mark {at}"), &[], Flow::None);
                }
            })
        };
        let (short, long) = (long(20_000), long(40_000));
        assert!(long.len() < short.len() + 1000, "{}", long.len());
        assert!(long.contains("the first "), "no limit");
        assert!(long.contains("(others)"), "no limit of names");
    }
}
