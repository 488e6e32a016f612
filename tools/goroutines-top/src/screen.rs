//! The drawing.
//!
//! ```text
//!  app  pid 4711                         goroutines 0.1.0
//!  100 017 goroutines ..
//!  10 Ms: 2 running ..
//!  a second: 1.2M runs ..
//! ┌ Ps ───────────────────────────────────────────────┐
//! ├ state ─────────┬ site ────────────────────────────┤
//! │ 100 000 chan r │ 100 000  chan receive  app::..   │
//! └────────────────┴──────────────────────────────────┘
//!  q quit ..
//! ```

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize as _},
    text::{Line, Span},
    widgets::{Block, Cell, Paragraph, Row, Table, TableState},
};

use crate::{
    model::{Stats, rate, rates},
    numbers::{short, spaced},
    state::{Page, State, Text},
};

/// The columns and rows that it needs.
pub(crate) const LEAST: (u16, u16) = (60, 16);

/// From so many columns on there is room for the sums by state, beside those by closure and state.
const WIDE: u16 = 90;

/// The most rows of Ps that are shown one by one.
const PROCS: usize = 8;

/// An answer that is later than this is late.
const LATE: Duration = Duration::from_secs(3);

pub(crate) fn draw(frame: &mut Frame<'_>, state: &mut State) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("too small: {} x {} are needed", LEAST.0, LEAST.1);
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let [head, body, foot] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_head(frame, head, state);
    match &state.page {
        Page::Numbers => draw_numbers(frame, body, state),
        Page::Stacks(_, text) | Page::Longest(text) | Page::Dump(text) => {
            draw_text(frame, body, text);
            state.height = usize::from(body.height.saturating_sub(2));
        }
    }
    let keys = match state.page {
        Page::Numbers => "q quit   up/down select   enter stacks   w waits   d dump",
        _ => "q quit   up/down/pages scroll   esc back",
    };
    frame.render_widget(Paragraph::new(keys).dim(), foot);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let now = &state.now;
    let name = Span::from(state.hello.name().to_owned()).bold();
    let mut first = vec![
        name,
        Span::from(format!(
            "  pid {}  goroutines {}",
            state.hello.pid, state.hello.version
        )),
    ];
    let silence = state.silence();
    if silence >= LATE {
        let text = format!("  NO ANSWER for {} s: is it stopped?", silence.as_secs());
        first.push(Span::styled(text, Style::new().fg(Color::Red)));
    }
    let threads = &now.threads;
    let second = format!(
        "{} goroutines, {} sockets",
        spaced(now.goroutines),
        spaced(now.sockets)
    );
    let third = format!(
        "{} Ms: {} running, {} spinning, {} blocked, {} waiting, {} asleep",
        threads.all,
        threads.running,
        threads.spinning,
        threads.blocked,
        threads.waiting,
        threads.asleep,
    );
    let rates = match state.before.time_us {
        0 => Vec::new(),
        _ => rates(&state.before, now).to_vec(),
    };
    // What does not happen is left out, but for the first two.
    let shown = rates.iter().enumerate();
    let shown = shown.filter(|(at, (_, rate))| *at < 2 || *rate > 0.0);
    let shown: Vec<String> = shown
        .map(|(_, (name, rate))| format!("{} {}", short(*rate), name.replace('_', " ")))
        .collect();
    let fourth = match shown.is_empty() {
        true => String::new(),
        false => format!("a second: {}", shown.join(", ")),
    };
    let lines = vec![
        Line::from(first),
        Line::from(second),
        Line::from(third),
        Line::from(fourth),
    ];

    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_numbers(frame: &mut Frame<'_>, area: Rect, state: &mut State) {
    let shown = state.now.procs.len().min(PROCS);
    let [procs, lists] = Layout::vertical([
        // Borders and a head.
        Constraint::Length(shown as u16 + 3),
        Constraint::Min(0),
    ])
    .areas(area);
    draw_procs(frame, procs, &state.before, &state.now);
    let for_states = if area.width < WIDE { 0 } else { 30 };
    let [states, sites] =
        Layout::horizontal([Constraint::Length(for_states), Constraint::Min(0)]).areas(lists);
    if for_states > 0 {
        draw_states(frame, states, state);
    }
    draw_sites(frame, sites, state);
    state.height = usize::from(sites.height.saturating_sub(3));
}

fn draw_procs(frame: &mut Frame<'_>, area: Rect, before: &Stats, now: &Stats) {
    let row = |(number, proc): (usize, &crate::model::Proc)| {
        let of = |count: fn(&crate::model::Proc) -> u64| {
            let sum = |stats: &Stats| stats.procs.get(number).map_or(0, count);
            match before.procs.get(number) {
                Some(_) => short(rate(before, now, sum)),
                None => String::new(),
            }
        };
        let style = match proc.state.as_str() {
            "busy" => Style::new().fg(Color::Green),
            "lent" => Style::new().fg(Color::Yellow),
            _ => Style::new(),
        };
        Row::new([
            Cell::from(number.to_string()),
            Cell::from(proc.state.clone()).style(style),
            Cell::from(proc.queue.to_string()),
            Cell::from(of(|proc| proc.runs)),
            Cell::from(of(|proc| proc.steals)),
        ])
    };
    let rows = now.procs.iter().enumerate().take(PROCS).map(row);
    let further = now.procs.len().saturating_sub(PROCS);
    let more = match further {
        0 => String::new(),
        _ => format!(", {further} more"),
    };
    let title = format!(
        " {} Ps{more}, global queue {} ",
        now.procs.len(),
        now.global_queue
    );
    let widths = [4, 8, 8, 12, 12].map(Constraint::Length);
    let head = Row::new(["P", "state", "queue", "runs/s", "steals/s"]).dim();
    let table = Table::new(rows, widths).header(head);
    frame.render_widget(table.block(Block::bordered().title(title)), area);
}

fn draw_states(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let rows = state.sites.states.iter();
    let rows = rows.map(|one| Row::new([right(one.count), Cell::from(one.state.clone())]));
    let table = Table::new(rows, [Constraint::Length(9), Constraint::Min(0)]);
    let block = Block::bordered().title(" states ");
    frame.render_widget(table.block(block), area);
}

fn draw_sites(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let rows = state.sites.sites.iter().map(|site| {
        let long = if site.long { ", long" } else { "" };
        Row::new([
            right(site.count),
            Cell::from(format!("{}{long}", site.state)),
            Cell::from(site.spawned_as.clone()),
        ])
    });
    let widths = [
        Constraint::Length(9),
        Constraint::Max(20),
        Constraint::Min(0),
    ];
    let title = match state.sites.further_sites {
        0 => " spawned as ".to_owned(),
        sites => format!(
            " spawned as, and {} in {sites} more ",
            spaced(state.sites.further_goroutines)
        ),
    };
    let head = Row::new(["    count", "state", "closure"]).dim();
    let table = Table::new(rows, widths)
        .header(head)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(Block::bordered().title(title));
    let mut selection = TableState::new().with_selected(state.selected());
    frame.render_stateful_widget(table, area, &mut selection);
}

fn draw_text(frame: &mut Frame<'_>, area: Rect, text: &Text) {
    let rows = usize::from(area.height.saturating_sub(2));
    let lines: Vec<Line<'_>> = match &text.lines {
        None => vec![Line::from("the program is asked ...")],
        Some(lines) => {
            let shown = lines.iter().skip(text.scroll).take(rows);
            shown.map(|line| Line::from(line.as_str())).collect()
        }
    };
    let length = text.lines.as_ref().map_or(0, Vec::len);
    let place = match length > rows {
        true => format!("lines {} of {length} ", text.scroll + 1),
        false => String::new(),
    };
    let title = format!(" {} {place}", text.title);
    let block = Block::bordered().title(title);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn right(count: u64) -> Cell<'static> {
    Cell::from(format!("{:>9}", spaced(count)))
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::{
        model::{Counted, Counts, Hello, Proc, Site, Sites, Threads},
        worker::Update,
    };

    fn numbers(time_us: u64, runs: u64) -> Stats {
        let proc = |state: &str, queue, runs| Proc {
            state: state.to_owned(),
            queue,
            runs,
            steals: 0,
        };
        Stats {
            time_us,
            goroutines: 100_017,
            threads: Threads {
                all: 7,
                running: 2,
                asleep: 5,
                ..Threads::default()
            },
            global_queue: 12,
            procs: vec![proc("busy", 3, runs), proc("idle", 0, 0)],
            counts: Counts {
                runs,
                ..Counts::default()
            },
            ..Stats::default()
        }
    }

    fn state() -> State {
        let mut state = State::new(Hello {
            version: "0.1.0".to_owned(),
            pid: 4711,
            program: "/usr/bin/app".to_owned(),
        });
        let site = |count, state: &str, spawned_as: &str| Site {
            count,
            state: state.to_owned(),
            long: false,
            spawned_as: spawned_as.to_owned(),
        };
        let sites = Sites {
            states: vec![Counted {
                state: "chan receive".to_owned(),
                count: 100_000,
            }],
            sites: vec![
                site(100_000, "chan receive", "app::serve::{{closure}}"),
                site(17, "running", "app::main::{{closure}}"),
            ],
            ..Sites::default()
        };
        for (time, runs) in [(1_000_000, 0), (2_000_000, 1_234_567)] {
            let sites = Box::new(sites.clone());
            state.heed(Update::Numbers(Box::new(numbers(time, runs)), sites));
        }
        state
    }

    fn drawn(state: &mut State, columns: u16, rows: u16) -> String {
        let backend = TestBackend::new(columns, rows);
        let mut terminal = Terminal::new(backend).expect("a buffer");
        let drawn = terminal.draw(|frame| draw(frame, state));
        drawn.expect("it is drawn");
        let buffer = terminal.backend().buffer();
        let signs: Vec<&str> = buffer.content().iter().map(|cell| cell.symbol()).collect();
        let lines = signs.chunks(usize::from(columns));
        lines.map(|line| line.concat() + "\n").collect()
    }

    #[test]
    fn the_numbers_stand_on_the_screen() {
        let screen = drawn(&mut state(), 100, 24);
        for words in [
            "app  pid 4711  goroutines 0.1.0",
            "100 017 goroutines, 0 sockets",
            "7 Ms: 2 running, 0 spinning, 0 blocked, 0 waiting, 5 asleep",
            "a second: 1.2M runs, 0 spawned",
            " 2 Ps, global queue 12 ",
            "0    busy     3        1.2M         0",
            "1    idle     0        0            0",
            "  100 000 chan receive",
            "  100 000 chan receive         app::serve::{{closure}}",
            "       17 running              app::main::{{closure}}",
            "q quit",
        ] {
            assert!(screen.contains(words), "no `{words}`:\n{screen}");
        }
        assert!(!screen.contains("NO ANSWER"), "{screen}");
    }

    #[test]
    fn it_fits_into_every_size_from_the_least_on() {
        for (columns, rows) in [LEAST, (80, 24), (300, 100), (61, 200), (500, 16)] {
            let screen = drawn(&mut state(), columns, rows);
            assert!(
                screen.contains("app::serve"),
                "{columns} x {rows}:\n{screen}"
            );
        }
        let screen = drawn(&mut state(), LEAST.0 - 1, LEAST.1);
        assert!(
            screen.starts_with("too small: 60 x 16 are needed"),
            "{screen}"
        );
        drawn(&mut state(), 1, 1);
    }

    #[test]
    fn many_ps_are_shown_in_part() {
        let mut state = state();
        let mut stats = numbers(3_000_000, 7);
        stats.procs = vec![stats.procs[0].clone(); 64];
        let sites = Box::new(state.sites.clone());
        state.heed(Update::Numbers(Box::new(stats), sites));
        let screen = drawn(&mut state, 100, 24);
        assert!(
            screen.contains(" 64 Ps, 56 more, global queue 12 "),
            "{screen}"
        );
        assert!(screen.contains("app::serve"), "{screen}");
    }

    #[test]
    fn a_text_is_shown_from_where_it_is_scrolled_to() {
        let mut state = state();
        let lines = (0..50).map(|line| format!("line {line}")).collect();
        state.page = Page::Dump(Text {
            title: "dump".to_owned(),
            lines: Some(lines),
            scroll: 30,
        });
        let screen = drawn(&mut state, 80, 24);
        assert!(screen.contains(" dump lines 31 of 50 "), "{screen}");
        assert!(
            screen.contains("line 30") && !screen.contains("line 29"),
            "{screen}"
        );
        assert_eq!(state.height, 17);
    }
}
