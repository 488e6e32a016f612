//! The page's text.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use goroutines_sched::{self as sched, Whose};

use super::{Page, Sums, drawing};
use crate::{
    text::{Spaced, Utc},
    trace::sink::Track,
};

/// Rows of a table that are written.
const ROWS: usize = 200;

/// What is at the beginning of each page. It may load nothing.
const HEAD: &str = r#"<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
table { border-collapse: collapse; margin: 0 0 1.5em } caption { text-align: left; font-weight: bold; padding: .3em 0 }
th, td { padding: .15em .8em; border-bottom: 1px solid #ddd; text-align: right; font-variant-numeric: tabular-nums }
th:first-child, td:first-child, td.t { text-align: left } .warn { background: #fff3c4; padding: .5em }
#time { display: grid; grid-template-columns: max-content 1fr; column-gap: 1em } #rows div { white-space: nowrap; margin-bottom: 4px }
svg { width: 100%; background: #f6f6f6; display: block } rect { stroke: #0004; stroke-width: .5; vector-effect: non-scaling-stroke }
#from, #to { color: #666 } #axis { display: flex; justify-content: space-between; grid-column: 2 }
</style>
"#;

/// Shows a part of the time line: the wheel makes it larger, dragging moves it, a double click shows all.
const SCRIPT: &str = "<script>
(() => {
  const line = document.getElementById('line'); if (!line) return;
  const [, , all, height] = line.getAttribute('viewBox').split(' ').map(Number);
  let from = 0, width = all, drag = null;
  const show = () => {
    width = Math.min(all, Math.max(0.1, width)); from = Math.min(all - width, Math.max(0, from));
    line.setAttribute('viewBox', `${from} 0 ${width} ${height}`);
    document.getElementById('from').textContent = from.toFixed(3) + ' us';
    document.getElementById('to').textContent = (from + width).toFixed(3) + ' us';
  };
  line.addEventListener('wheel', event => {
    event.preventDefault();
    const box = line.getBoundingClientRect(), part = (event.clientX - box.left) / box.width;
    const factor = event.deltaY > 0 ? 1.25 : 0.8; from += width * part * (1 - factor); width *= factor; show();
  }, { passive: false });
  line.addEventListener('pointerdown', event => { drag = event.clientX; line.setPointerCapture(event.pointerId); });
  line.addEventListener('pointerup', () => { drag = null; });
  line.addEventListener('pointermove', event => {
    if (drag === null) return;
    from -= (event.clientX - drag) / line.getBoundingClientRect().width * width; drag = event.clientX; show();
  });
  line.addEventListener('dblclick', () => { from = 0; width = all; show(); });
})();
</script>
";

/// A text in which no character has a meaning for HTML.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// Nanoseconds as milliseconds; few as they are.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0"),
            time @ 1..10_000 => write!(f, "{time} ns"),
            time => write!(f, "{}.{:03} ms", time / 1_000_000, time / 1000 % 1000),
        }
    }
}

/// A table that is being written.
struct Table<'a> {
    out: &'a mut String,
    rows: usize,
}

impl<'a> Table<'a> {
    fn begin(out: &'a mut String, caption: &str, heads: &[&str]) -> Table<'a> {
        // Writing to a string does not fail (all).
        let _ = write!(out, "<table>\n<caption>{caption}</caption>\n<tr>");
        for head in heads {
            let _ = write!(out, "<th>{head}</th>");
        }
        out.push_str("</tr>\n");
        Table { out, rows: 0 }
    }

    /// Rows behind the first [`ROWS`] are counted.
    fn row(&mut self, cells: &[&dyn fmt::Display]) {
        self.rows += 1;
        if self.rows > ROWS {
            return;
        }
        self.out.push_str("<tr>");
        for cell in cells {
            let _ = write!(self.out, "<td>{}</td>", Escaped(&cell.to_string()));
        }
        self.out.push_str("</tr>\n");
    }

    fn end(self) {
        self.out.push_str("</table>\n");
        if self.rows > ROWS {
            let _ = writeln!(self.out, "<p>and {} rows more</p>", self.rows - ROWS);
        }
    }
}

fn name_of(whose: Whose) -> String {
    match whose {
        Whose::Scheduler(thread) => format!("M {thread}"),
        Whose::Thread(thread) => format!("thread {thread}"),
        Whose::Others => "monitor and others".to_owned(),
    }
}

impl Page {
    /// All of it.
    pub(super) fn write(&self) -> String {
        let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n");
        let program = Escaped(&self.program);
        let _ = writeln!(out, "<title>{program}: trace of goroutines</title>");
        out.push_str(HEAD);
        let _ = writeln!(out, "<h1>{program}</h1>");
        let when = Utc(self.taken);
        let _ = writeln!(out, "<p>Process {}, traced from {when} on.</p>", self.pid);
        if self.lost > 0 {
            let _ = writeln!(
                out,
                "<p class=\"warn\">{} events were lost, because they came faster than they were read: counts and times \
                 are too small.</p>",
                Spaced(self.lost as usize)
            );
        }
        match self.span {
            None => out.push_str("<p>Nothing was recorded.</p>\n"),
            Some(span) => {
                self.write_line(&mut out, span);
                self.write_tracks(&mut out, span);
                self.write_goroutines(&mut out, span);
                self.write_moments(&mut out);
                out.push_str(SCRIPT);
            }
        }
        out.push_str("</html>\n");
        out
    }

    fn name(&self, track: Track) -> String {
        match track {
            Track::P(p) => format!("P {p}"),
            Track::Thread(ring) => self
                .threads
                .get(ring)
                .map_or_else(String::new, |&whose| name_of(whose)),
        }
    }

    fn write_line(&self, out: &mut String, (start, last): (u64, u64)) {
        let end = self.drawing.until.unwrap_or(last).max(start);
        let shown = |(_, sums): &(&Track, &Sums)| sums.slices > 0;
        let tracks: Vec<Track> = self
            .tracks
            .iter()
            .filter(shown)
            .map(|(&track, _)| track)
            .collect();
        let part = match self.drawing.until {
            Some(until) => format!(
                "the first {} of {}",
                Millis(until - start),
                Millis(last - start)
            ),
            None => format!("the whole trace, {}", Millis(last - start)),
        };
        let _ = writeln!(
            out,
            "<h2>Time line</h2>\n<p>It shows {part}. A colour is a goroutine. The wheel makes a part larger, dragging moves \
             it, a double click shows all; names are shown where the pointer rests.</p>"
        );
        let _ = write!(out, "<div id=\"time\"><div id=\"rows\">");
        for &track in &tracks {
            let (row, name) = (drawing::ROW, self.name(track));
            let _ = write!(
                out,
                "<div style=\"height:{row}px\">{}</div>",
                Escaped(&name)
            );
        }
        out.push_str("</div>");
        // Writing to a string does not fail.
        let _ = self
            .drawing
            .write(out, &tracks, &self.names.list, (start, end));
        let _ = writeln!(
            out,
            "<div id=\"axis\"><span id=\"from\">0 us</span><span id=\"to\">{} us</span></div></div>",
            (end - start) / 1000
        );
    }

    fn write_tracks(&self, out: &mut String, (start, end): (u64, u64)) {
        let all = end - start;
        let share = |part: u64| format!("{:.1} %", part as f64 * 100.0 / all.max(1) as f64);
        let heads = ["P", "runs of goroutines", "busy", "idle", "busy"];
        let mut table = Table::begin(out, "Ps", &heads);
        for (&track, sums) in &self.tracks {
            if let Track::P(_) = track {
                let idle = Millis(all.saturating_sub(sums.ran));
                let (name, share) = (self.name(track), share(sums.ran));
                table.row(&[&name, &sums.slices, &Millis(sums.ran), &idle, &share]);
            }
        }
        table.end();
        let heads = [
            "thread",
            "slices",
            "ran goroutines",
            "of that in blocking calls",
            "waited",
            "asleep",
        ];
        let mut table = Table::begin(out, "Threads", &heads);
        for (&track, sums) in &self.tracks {
            if let Track::Thread(_) = track {
                let [ran, called, waited, slept] =
                    [sums.ran, sums.called, sums.waited, sums.slept].map(Millis);
                let name = self.name(track);
                table.row(&[&name, &sums.slices, &ran, &called, &waited, &slept]);
            }
        }
        table.end();
    }

    fn write_goroutines(&self, out: &mut String, (start, _): (u64, u64)) {
        let heads = ["reason", "waits", "total", "on average", "longest"];
        let mut table = Table::begin(out, "What goroutines waited for", &heads);
        let mut reasons: Vec<_> = self.tally.reasons.iter().collect();
        reasons.sort_by_key(|(_, waits)| std::cmp::Reverse(waits.total));
        for (reason, waits) in reasons {
            let [total, mean, longest] =
                [waits.total, waits.total / waits.count.max(1), waits.longest].map(Millis);
            table.row(&[reason, &waits.count, &total, &mean, &longest]);
        }
        table.end();
        let heads = [
            "name, or what it was spawned as",
            "spawned",
            "runs",
            "ran",
            "waited",
            "ready before it ran",
            "longest",
        ];
        let mut table = Table::begin(out, "Goroutines", &heads);
        let mut names: Vec<_> = self.tally.names.iter().collect();
        names.sort_by_key(|(_, times)| std::cmp::Reverse(times.ran));
        for (&name, times) in names {
            let [ran, waited, queued, longest] =
                [times.ran, times.waited, times.queued, times.queued_longest].map(Millis);
            let name = &self.names.list[name];
            table.row(&[
                name,
                &times.spawned,
                &times.runs,
                &ran,
                &waited,
                &queued,
                &longest,
            ]);
        }
        table.end();
        let heads = ["goroutine", "name", "reason", "object", "from", "for"];
        let mut table = Table::begin(out, "The longest waits", &heads);
        for wait in self.tally.longest() {
            let name = wait.name.map_or("thread", |name| &*self.names.list[name]);
            let object = match wait.object {
                0 => String::new(),
                object => format!("{object:#x}"),
            };
            let still = if wait.is_over { "" } else { ", still waits" };
            let time = format!("{}{still}", Millis(wait.time));
            let from = Millis(wait.from - start);
            table.row(&[&wait.goroutine, &name, &wait.reason, &object, &from, &time]);
        }
        table.end();
    }

    fn write_moments(&self, out: &mut String) {
        let mut table = Table::begin(out, "What happened how often", &["event", "times"]);
        let mut all: BTreeMap<&str, u64> = ["hand-off", "retake", "take", "steals", "segment"]
            .map(|name| (name, 0))
            .into();
        all.extend(self.moments.iter().map(|(name, &count)| (&**name, count)));
        for (name, count) in all {
            table.row(&[&name, &count]);
        }
        let grown = sched::growth_faults().saturating_sub(self.grown_before);
        table.row(&[&"faults that grew a stack", &grown]);
        table.end();
    }
}
