//! What is looked at: the last answers, which site is selected, and which page is shown.

use std::time::{Duration, Instant};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::{
    model::{Group, Groups, Hello, Longest, Site, Sites, Stats, Wait},
    worker::{Update, Wish},
};

/// A text over the numbers, which scrolls.
#[derive(Default, Debug)]
pub(crate) struct Text {
    pub(crate) title: String,
    /// `None`: it is asked for.
    pub(crate) lines: Option<Vec<String>>,
    pub(crate) scroll: usize,
}

impl Text {
    /// One that is asked for.
    fn of(title: &str) -> Text {
        Text {
            title: title.to_owned(),
            ..Text::default()
        }
    }
}

#[derive(Default, Debug)]
pub(crate) enum Page {
    #[default]
    Numbers,
    /// The stacks of the goroutines of a site.
    Stacks(Site, Text),
    /// The goroutines that have waited longest.
    Longest(Text),
    Dump(Text),
}

/// What a key leads to.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Nothing,
    Leave,
    Ask(Wish),
}

pub(crate) struct State {
    pub(crate) hello: Hello,
    pub(crate) before: Stats,
    pub(crate) now: Stats,
    pub(crate) sites: Sites,
    /// When the numbers came.
    heard: Instant,
    selected: Option<Site>,
    pub(crate) page: Page,
    /// How many lines a page has, as it was drawn last.
    pub(crate) height: usize,
}

impl State {
    pub(crate) fn new(hello: Hello) -> State {
        State {
            hello,
            before: Stats::default(),
            now: Stats::default(),
            sites: Sites::default(),
            heard: Instant::now(),
            selected: None,
            page: Page::Numbers,
            height: 1,
        }
    }

    /// The place of the selected site in the list. It may have moved, or be gone.
    pub(crate) fn selected(&self) -> usize {
        let Some(selected) = &self.selected else {
            return 0;
        };
        let sites = &self.sites.sites;
        sites
            .iter()
            .position(|site| site.is_same(selected))
            .unwrap_or(0)
    }

    /// How long there was no answer.
    pub(crate) fn silence(&self) -> Duration {
        self.heard.elapsed()
    }

    pub(crate) fn heed(&mut self, update: Update) {
        match update {
            Update::Numbers(stats, sites) => {
                self.before = std::mem::replace(&mut self.now, *stats);
                self.sites = *sites;
                self.heard = Instant::now();
            }
            Update::Groups(groups) => {
                if let Page::Stacks(site, text) = &mut self.page {
                    text.lines = Some(stacks(&groups, site));
                }
            }
            Update::Longest(longest) => {
                if let Page::Longest(text) = &mut self.page {
                    text.lines = Some(waits(&longest));
                }
            }
            Update::Dump(dump) => {
                if let Page::Dump(text) = &mut self.page {
                    text.lines = Some(dump.lines().map(str::to_owned).collect());
                }
            }
            Update::Gone(_) => {}
        }
    }

    pub(crate) fn key(&mut self, key: KeyEvent) -> Action {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, &mut self.page) {
            (KeyCode::Char('q'), _) => return Action::Leave,
            (KeyCode::Char('c'), _) if is_control => return Action::Leave,
            (KeyCode::Char('d'), _) => {
                self.page = Page::Dump(Text::of("dump"));
                return Action::Ask(Wish::Dump);
            }
            (KeyCode::Char('w'), _) => {
                self.page = Page::Longest(Text::of("longest waits"));
                return Action::Ask(Wish::Longest);
            }
            (KeyCode::Enter, Page::Numbers) => {
                if let Some(site) = self.sites.sites.get(self.selected()).cloned() {
                    let title = format!("stacks of {} [{}]", site.spawned_as, site.state);
                    let text = Text::of(&title);
                    self.page = Page::Stacks(site, text);
                    return Action::Ask(Wish::Groups);
                }
            }
            (KeyCode::Esc, Page::Numbers) => return Action::Leave,
            (KeyCode::Esc | KeyCode::Backspace, _) => self.page = Page::Numbers,
            (code, Page::Numbers) => self.move_selection(code),
            (code, Page::Stacks(_, text) | Page::Longest(text) | Page::Dump(text)) => {
                let length = text.lines.as_ref().map_or(0, Vec::len);
                let last = length.saturating_sub(self.height);
                text.scroll = moved(text.scroll, code, self.height).min(last);
            }
        }
        Action::Nothing
    }

    fn move_selection(&mut self, code: KeyCode) {
        let last = self.sites.sites.len().saturating_sub(1);
        let place = moved(self.selected(), code, self.height).min(last);
        self.selected = self.sites.sites.get(place).cloned();
    }
}

/// Where `code` leads from `place`; a page has `height` lines.
fn moved(place: usize, code: KeyCode, height: usize) -> usize {
    match code {
        KeyCode::Up | KeyCode::Char('k') => place.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => place + 1,
        KeyCode::PageUp => place.saturating_sub(height),
        KeyCode::PageDown => place + height,
        KeyCode::Home | KeyCode::Char('g') => 0,
        KeyCode::End | KeyCode::Char('G') => usize::MAX,
        _ => place,
    }
}

/// The groups of `site`, as lines.
fn stacks(groups: &Groups, site: &Site) -> Vec<String> {
    let of_site = |group: &&Group| {
        (&group.spawned_as, &group.state, group.long) == (&site.spawned_as, &site.state, site.long)
    };
    let mut lines = Vec::new();
    for group in groups.groups.iter().filter(of_site) {
        let ids: Vec<String> = group.ids.iter().map(u64::to_string).collect();
        lines.push(format!(
            "{} [{}]   ids {}",
            group.count,
            group.state,
            ids.join(" ")
        ));
        if group.frames.is_empty() {
            lines.push("    (stack not read)".to_owned());
        }
        for frame in &group.frames {
            let name = frame.function.as_ref().unwrap_or(&frame.address);
            let place = match (&frame.file, frame.line) {
                (Some(file), Some(line)) => format!("  {file}:{line}"),
                _ => String::new(),
            };
            lines.push(format!("    {name}{place}"));
        }
        lines.push(String::new());
    }
    if lines.is_empty() {
        lines.push("no goroutine is there any more".to_owned());
    }
    lines
}

/// The longest waits, as lines.
fn waits(longest: &Longest) -> Vec<String> {
    let line = |wait: &Wait| {
        let (id, time) = (wait.goroutine, wait.parked_for);
        format!(
            "{time:>9.1} s  goroutine {id:<9} [{}]  {}",
            wait.state, wait.spawned_as
        )
    };
    let mut lines: Vec<String> = longest.waits.iter().map(line).collect();
    match longest.further {
        0 => {}
        further => lines.push(format!("and {further} more")),
    }
    if lines.is_empty() {
        lines.push(
            "of no goroutine is known that it has waited for an idle time of stacks".to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Frame;

    fn site(name: &str, count: u64) -> Site {
        Site {
            count,
            state: "chan receive".to_owned(),
            long: false,
            spawned_as: name.to_owned(),
        }
    }

    fn numbers(names: &[&str]) -> Update {
        let sites = names.iter().map(|name| site(name, 1)).collect();
        let sites = Sites {
            sites,
            ..Sites::default()
        };
        Update::Numbers(Box::default(), Box::new(sites))
    }

    fn press(state: &mut State, code: KeyCode) -> Action {
        state.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn the_selection_stays_with_its_site_when_the_list_changes() {
        let mut state = State::new(Hello::default());
        state.heed(numbers(&["a", "b", "c"]));
        assert_eq!(press(&mut state, KeyCode::Down), Action::Nothing);
        assert_eq!(state.selected(), 1);
        state.heed(numbers(&["c", "x", "b"]));
        assert_eq!(state.selected(), 2);
        press(&mut state, KeyCode::Down);
        assert_eq!(state.selected(), 2, "there is none behind it");
        state.heed(numbers(&["c", "x"]));
        assert_eq!(state.selected(), 0, "it is gone");
        press(&mut state, KeyCode::End);
        assert_eq!(state.selected(), 1);
    }

    #[test]
    fn stacks_are_those_of_the_selected_site() {
        let mut state = State::new(Hello::default());
        state.heed(numbers(&["a", "b"]));
        press(&mut state, KeyCode::Char('j'));
        assert_eq!(press(&mut state, KeyCode::Enter), Action::Ask(Wish::Groups));
        let group = |name: &str, function: &str| Group {
            count: 3,
            state: "chan receive".to_owned(),
            spawned_as: name.to_owned(),
            ids: vec![7, 8, 9],
            frames: vec![Frame {
                function: Some(function.to_owned()),
                file: Some("src/main.rs".to_owned()),
                line: Some(41),
                ..Frame::default()
            }],
            ..Group::default()
        };
        let groups = vec![group("a", "app::a"), group("b", "app::b")];
        state.heed(Update::Groups(Groups { groups }));
        let Page::Stacks(_, text) = &state.page else {
            panic!("no stacks");
        };
        let lines = text.lines.as_ref().expect("they came");
        let expected = [
            "3 [chan receive]   ids 7 8 9",
            "    app::b  src/main.rs:41",
            "",
        ];
        assert_eq!(lines, &expected);
        assert_eq!(press(&mut state, KeyCode::Esc), Action::Nothing);
        assert!(matches!(state.page, Page::Numbers));
    }

    #[test]
    fn a_text_scrolls_to_its_last_page_and_no_further() {
        let mut state = State::new(Hello::default());
        assert_eq!(
            press(&mut state, KeyCode::Char('d')),
            Action::Ask(Wish::Dump)
        );
        let text: String = (0..30).map(|line| format!("{line}\n")).collect();
        state.heed(Update::Dump(text));
        state.height = 10;
        let scroll = |state: &State| match &state.page {
            Page::Dump(text) => text.scroll,
            _ => panic!("no dump"),
        };
        for (code, place) in [
            (KeyCode::PageDown, 10),
            (KeyCode::Down, 11),
            (KeyCode::End, 20),
            (KeyCode::PageDown, 20),
            (KeyCode::Up, 19),
            (KeyCode::Home, 0),
            (KeyCode::Up, 0),
        ] {
            press(&mut state, code);
            assert_eq!(scroll(&state), place, "{code:?}");
        }
    }

    #[test]
    fn the_longest_waits_are_a_page() {
        let mut state = State::new(Hello::default());
        let w = press(&mut state, KeyCode::Char('w'));
        assert_eq!(w, Action::Ask(Wish::Longest));
        let lines = |state: &State| match &state.page {
            Page::Longest(text) => text.lines.clone().expect("they came"),
            page => panic!("{page:?}"),
        };
        state.heed(Update::Longest(Longest::default()));
        assert!(lines(&state)[0].starts_with("of no goroutine is known"));
        let wait = Wait {
            goroutine: 17,
            parked_for: 61.25,
            state: "mutex lock".to_owned(),
            spawned_as: "app::f".to_owned(),
        };
        let (waits, further) = (vec![wait], 3);
        state.heed(Update::Longest(Longest { waits, further }));
        let line = "     61.2 s  goroutine 17        [mutex lock]  app::f";
        assert_eq!(lines(&state), [line, "and 3 more"]);
        assert_eq!(press(&mut state, KeyCode::Esc), Action::Nothing);
        assert!(matches!(state.page, Page::Numbers));
    }

    #[test]
    fn q_and_control_c_leave_from_everywhere() {
        let mut state = State::new(Hello::default());
        assert_eq!(press(&mut state, KeyCode::Char('q')), Action::Leave);
        assert_eq!(press(&mut state, KeyCode::Esc), Action::Leave);
        press(&mut state, KeyCode::Char('d'));
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(state.key(interrupt), Action::Leave);
        assert_eq!(press(&mut state, KeyCode::Char('c')), Action::Nothing);
    }
}
