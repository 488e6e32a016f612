//! The page of a trace: what was recorded is in it, and nothing else is loaded.

use std::{env, fs, io, process};

use goroutines::{
    Builder, chan,
    debug::trace::{self, Format, Options, TraceError},
    go, metrics, sleep,
};
use goroutines_tests::start;

const EVIL: &str = "<script>alert(1)</script>";

/// The cells of the first row of `page` that begins with `first`.
fn row<'a>(page: &'a str, first: &str) -> Vec<&'a str> {
    let begin = format!("<tr><td>{first}</td>");
    let row = page.lines().find(|line| line.starts_with(&begin));
    let row = row.unwrap_or_else(|| panic!("no row {first}:\n{page}"));
    let row = row.trim_start_matches("<tr><td>");
    row.trim_end_matches("</td></tr>")
        .split("</td><td>")
        .collect()
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

/// Two goroutines that meet, one that sleeps, and one that waits until the answer is dropped.
fn play() -> impl Drop {
    let (tx, rx) = chan::bounded(0);
    let (end, waits) = chan::bounded::<u32>(0);
    let spawn = |name: &str, body: Box<dyn FnOnce() + Send>| {
        let builder = Builder::new().name(name.to_owned());
        builder.spawn(body).expect("a goroutine")
    };
    let sends = spawn(
        "sends",
        Box::new(move || (0..100).for_each(|number| tx.send(number).expect("it receives"))),
    );
    let receives = spawn(
        "receives",
        Box::new(move || assert_eq!(rx.iter().count(), 100)),
    );
    let evil = spawn(
        EVIL,
        Box::new(|| {
            let _region = trace::region("a & b");
            sleep(std::time::Duration::from_millis(5));
        }),
    );
    drop(spawn("waits", Box::new(move || _ = waits.recv())));
    for one in [sends, receives, evil] {
        one.join().expect("it ends");
    }
    // It has left its stack when a later one has run.
    trace::mark("over");
    end
}

#[test]
fn the_page_of_a_program_has_its_rows_and_its_time_line() {
    start(2);
    let path = env::temp_dir().join(format!("goroutines-page-{}.html", process::id()));
    let options = Options::new(&path).format(Format::Page);
    let trace = trace::start(&options).expect("a trace");
    let _end = play();
    let summary = trace.stop().expect("a file");
    let page = fs::read_to_string(&path).expect("text");
    fs::remove_file(&path).expect("it is there");
    assert_eq!((summary.lost, summary.bytes), (0, page.len() as u64));

    for (name, runs) in [("sends", 1), ("receives", 1), ("waits", 1)] {
        let row = row(&page, name);
        assert_eq!(row[1], "1", "{row:?}");
        assert!(number(row[2]) >= runs, "{row:?}");
    }
    // Of 100 messages over an unbuffered channel one side waits for each.
    let send = page.contains("<tr><td>chan send</td>");
    let sent = if send {
        number(row(&page, "chan send")[1])
    } else {
        0
    };
    assert!(sent + number(row(&page, "chan receive")[1]) >= 50, "{page}");
    let sleeps = row(&page, "sleep");
    assert!(
        number(sleeps[1]) >= 1 && sleeps[3].ends_with(" ms"),
        "{sleeps:?}"
    );
    assert_eq!(row(&page, "over"), ["over", "1"]);
    // Ps of which there are several have the numbers from 1 on.
    let p = if metrics().gomaxprocs == 1 {
        "P 0"
    } else {
        "P 2"
    };
    assert_eq!(row(&page, p).len(), 5);
    assert!(page.contains(", still waits</td>"), "{page}");
    assert!(page.matches("<rect ").count() > 10, "{page}");
    assert!(page.contains("<title>a &amp; b, goroutine "), "{page}");

    // A name is text.
    let escaped = "&lt;script&gt;alert(1)&lt;/script&gt;";
    assert_eq!(row(&page, escaped)[1], "1");
    assert!(!page.contains(EVIL), "{page}");
    // Nothing is loaded.
    assert!(page.contains("default-src 'none'"), "{page}");
    for loads in ["src=\"", "href", "@import", "url("] {
        assert!(!page.contains(loads), "{loads}");
    }

    // In this test there is one recording at a time: what is lost is told.
    let flight = trace::flight(16 << 10).expect("a recorder");
    go(|| (0..5000).for_each(|_| trace::mark("often")))
        .join()
        .expect("it ends");
    let mut page = Vec::new();
    let summary = flight.write(&mut page, Format::Page).expect("room");
    drop(flight);
    let page = String::from_utf8(page).expect("text");
    assert!(summary.lost > 0);
    assert!(page.contains(" events were lost, because"), "{page}");
    assert!(number(row(&page, "often")[1]) > 100, "{page}");

    // A disk without room.
    let full = Options::new("/dev/full").format(Format::Page);
    let trace = trace::start(&full).expect("a trace");
    match trace.stop() {
        Err(TraceError::Io(path, error)) => {
            assert_eq!(path.to_str(), Some("/dev/full"));
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
        other => panic!("{other:?}"),
    }
}
