//! Writing a profile as the protobuf of pprof (`profile.proto` of github.com/google/pprof).
//!
//! ```text
//!  sample ──► locations, innermost first     an address; several lines where functions were inlined
//!               └─► lines ──► function       name and file
//!               └─► mapping                  the file that is mapped there
//!         ──► labels                         goroutine, name, spawned_as, reason
//! ```
//!
//! All texts are numbers of one table, whose first is empty. The message is not compressed, which readers accept.

use std::{collections::HashMap, io, time::UNIX_EPOCH};

use crate::{
    modules::{Mapping, mappings},
    profile::{Owner, Profile, ProfileKind, Sample, StackEnd},
    proto::Message,
};

// Fields of a profile.
const SAMPLE_TYPE: u32 = 1;
const SAMPLE: u32 = 2;
const MAPPING: u32 = 3;
const LOCATION: u32 = 4;
const FUNCTION: u32 = 5;
const STRING: u32 = 6;
const TIME_NANOS: u32 = 9;
const DURATION_NANOS: u32 = 10;
const PERIOD_TYPE: u32 = 11;
const PERIOD: u32 = 12;
const COMMENT: u32 = 13;

/// Texts, each once.
struct Texts {
    numbers: HashMap<String, u64>,
    list: Vec<String>,
}

impl Texts {
    fn new() -> Texts {
        let mut texts = Texts {
            numbers: HashMap::new(),
            list: Vec::new(),
        };
        texts.number("");
        texts
    }

    fn number(&mut self, text: &str) -> u64 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.list.len() as u64;
        self.list.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

struct Writer<'a> {
    profile: &'a Profile,
    mappings: Vec<Mapping>,
    texts: Texts,
    /// Numbers of functions, by name and file.
    functions: HashMap<(String, String), u64>,
    /// Numbers of locations, by address.
    locations: HashMap<u64, u64>,
    message: Message,
}

pub(crate) fn write(profile: &Profile, out: &mut dyn io::Write) -> io::Result<()> {
    let mut writer = Writer {
        profile,
        mappings: mappings(),
        texts: Texts::new(),
        functions: HashMap::new(),
        locations: HashMap::new(),
        message: Message::default(),
    };
    writer.head();
    profile
        .samples
        .iter()
        .for_each(|sample| writer.sample(sample));
    writer.mappings();
    for text in &writer.texts.list {
        writer.message.text(STRING, text);
    }
    out.write_all(writer.message.bytes())
}

impl Writer<'_> {
    fn head(&mut self) {
        let about = self.profile.about;
        let (count, time) = match about.kind {
            ProfileKind::Cpu => ("samples", "cpu"),
            ProfileKind::Block | ProfileKind::Contention => ("contentions", "delay"),
        };
        self.value_type(SAMPLE_TYPE, count, "count");
        self.value_type(SAMPLE_TYPE, time, "nanoseconds");
        self.value_type(PERIOD_TYPE, time, "nanoseconds");
        let started = about.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.message
            .uint(PERIOD, about.period)
            .uint(TIME_NANOS, started.as_nanos() as u64)
            .uint(DURATION_NANOS, about.duration.as_nanos() as u64);
        if about.lost != 0 {
            let comment = format!("{} samples are missing: there was no room", about.lost);
            let comment = self.texts.number(&comment);
            self.message.uint(COMMENT, comment);
        }
    }

    fn value_type(&mut self, field: u32, name: &str, unit: &str) {
        let (name, unit) = (self.texts.number(name), self.texts.number(unit));
        self.message
            .message(field, |it| _ = it.uint(1, name).uint(2, unit));
    }

    fn sample(&mut self, sample: &Sample) {
        let stack = sample.place.stack.iter();
        let locations: Vec<u64> = stack.map(|&address| self.location(address)).collect();
        let amount = sample.amount;
        let labels = self.labels(sample);
        self.message.message(SAMPLE, |it| {
            it.packed(1, locations)
                .packed(2, [amount.count, amount.nanoseconds]);
            for (key, text, number) in labels {
                it.message(3, |label| {
                    label.uint(1, key);
                    match text {
                        Some(text) => label.uint(2, text),
                        None => label.uint(3, number),
                    };
                });
            }
        });
    }

    /// Keys with the number of a text, or with a number.
    fn labels(&mut self, sample: &Sample) -> Vec<(u64, Option<u64>, u64)> {
        let mut labels = Vec::new();
        let mut add = |key: &str, text: Option<&str>, number: u64| {
            let key = self.texts.number(key);
            labels.push((key, text.map(|text| self.texts.number(text)), number));
        };
        match sample.owner() {
            Owner::Goroutine {
                id,
                name,
                spawned_as,
            } => {
                if *id != 0 {
                    add("goroutine", None, *id);
                }
                if let Some(name) = name {
                    add("name", Some(name), 0);
                }
                add("spawned_as", Some(spawned_as), 0);
            }
            Owner::Scheduler => add("owner", Some("scheduler"), 0),
            Owner::Thread => add("owner", Some("thread"), 0),
        }
        if let Some(reason) = sample.reason() {
            add("reason", Some(&reason.to_string()), 0);
        }
        match sample.end() {
            StackEnd::Begin => {}
            StackEnd::Deep => add("stack", Some("deep"), 0),
            StackEnd::Truncated => add("stack", Some("truncated"), 0),
            StackEnd::Switch => add("stack", Some("switch"), 0),
        }
        labels
    }

    /// The number of the location, which is written when it is seen for the first time.
    fn location(&mut self, address: u64) -> u64 {
        if let Some(&number) = self.locations.get(&address) {
            return number;
        }
        let number = self.locations.len() as u64 + 1;
        self.locations.insert(address, number);
        // The instruction, or the call, ends there.
        let at = address.saturating_sub(1);
        let mapping = self.mappings.iter().position(|it| it.range.contains(&at));
        let profile = self.profile;
        let frames = profile.symbols.at(address).iter();
        let lines: Vec<(u64, u64)> = frames
            .filter_map(|frame| {
                let name = frame.function.as_deref()?;
                let (file, line) = match &frame.place {
                    Some((file, line)) => (file.as_str(), u64::from(*line)),
                    None => ("", 0),
                };
                Some((self.function(name, file), line))
            })
            .collect();
        self.message.message(LOCATION, |it| {
            it.uint(1, number);
            if let Some(mapping) = mapping {
                it.uint(2, mapping as u64 + 1);
            }
            it.uint(3, at);
            for (function, line) in lines {
                it.message(4, |it| _ = it.uint(1, function).uint(2, line));
            }
        });
        number
    }

    /// The number of the function, which is written when it is seen for the first time.
    fn function(&mut self, name: &str, file: &str) -> u64 {
        let key = (name.to_owned(), file.to_owned());
        if let Some(&number) = self.functions.get(&key) {
            return number;
        }
        let number = self.functions.len() as u64 + 1;
        self.functions.insert(key, number);
        let (name, file) = (self.texts.number(name), self.texts.number(file));
        self.message.message(FUNCTION, |it| {
            it.uint(1, number).uint(2, name).uint(3, name).uint(4, file);
        });
        number
    }

    fn mappings(&mut self) {
        for (number, mapping) in self.mappings.iter().enumerate() {
            let file = self.texts.number(&mapping.file);
            self.message.message(MAPPING, |it| {
                it.uint(1, number as u64 + 1)
                    .uint(2, mapping.range.start)
                    .uint(3, mapping.range.end)
                    .uint(4, mapping.offset)
                    .uint(5, file);
                // It has functions, files, lines and inlined frames: readers need not look for symbols.
                (7..=10).for_each(|field| _ = it.uint(field, 1));
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{
        Amount, Samples,
        tests::{place, profile_of},
    };

    /// The fields of a message: number, varint, or bytes.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let value = varint(&mut bytes);
            let content = match key & 7 {
                0 => &[],
                2 => {
                    let (content, rest) = bytes.split_at(value as usize);
                    bytes = rest;
                    content
                }
                kind => panic!("kind {kind}"),
            };
            fields.push((key >> 3, value, content));
        }
        fields
    }

    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for place in 0.. {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    #[test]
    fn a_profile_refers_only_to_what_it_has() {
        let mut samples = Samples::new();
        let amount = Amount {
            count: 3,
            nanoseconds: 30_000_000,
        };
        samples.add(place(Some("worker"), StackEnd::Begin, None), amount);
        samples.add(place(None, StackEnd::Truncated, None), amount);
        let mut bytes = Vec::new();
        write(&profile_of(samples, ProfileKind::Cpu), &mut bytes).unwrap();
        let all = fields(&bytes);
        let of = |field: u32| {
            let of = all.iter().filter(move |it| it.0 == u64::from(field));
            of.map(|it| it.2).collect::<Vec<_>>()
        };
        let texts = of(STRING);
        assert_eq!(texts[0], b"");
        let text = |number: u64| std::str::from_utf8(texts[number as usize]).unwrap();

        let types: Vec<_> = of(SAMPLE_TYPE)
            .iter()
            .map(|it| fields(it).iter().map(|it| text(it.1)).collect::<Vec<_>>())
            .collect();
        assert_eq!(types, [["samples", "count"], ["cpu", "nanoseconds"]]);

        let functions: HashMap<u64, &str> = of(FUNCTION)
            .iter()
            .map(|it| (fields(it)[0].1, text(fields(it)[1].1)))
            .collect();
        let mut lines = HashMap::new();
        let mappings = of(MAPPING).len() as u64;
        for location in of(LOCATION) {
            let location = fields(location);
            assert!((1..=mappings).contains(&location[1].1), "its mapping");
            let line = fields(location.last().unwrap().2)[0].1;
            lines.insert(location[0].1, functions[&line]);
        }
        let samples = of(SAMPLE);
        assert_eq!(samples.len(), 2);
        for sample in samples {
            let sample = fields(sample);
            let mut stack = sample[0].2;
            let inner = lines[&varint(&mut stack)];
            assert_eq!(inner, "goroutines_insight::profile::tests::place");
            let outer = lines[&varint(&mut stack)];
            assert_eq!(outer, "goroutines_insight::profile::tests::profile_of");
            assert!(stack.is_empty());
            let mut values = sample[1].2;
            assert_eq!(varint(&mut values), 3);
            assert_eq!(varint(&mut values), 30_000_000);
            let labels: Vec<_> = sample[2..].iter().map(|it| fields(it.2)).collect();
            assert_eq!((text(labels[0][0].1), labels[0][1].1), ("goroutine", 7));
            let texts = labels[1..].iter().map(|it| (text(it[0].1), text(it[1].1)));
            let texts: Vec<_> = texts.collect();
            let closure = ("spawned_as", "app::main<[u8; 4]>");
            assert!(
                texts == [("name", "worker"), closure]
                    || texts == [closure, ("stack", "truncated")],
                "{texts:?}"
            );
        }
    }
}
