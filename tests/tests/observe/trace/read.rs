//! A reader of the files that `debug::trace` writes for Perfetto, and the checks that hold for each of them.

use std::collections::HashMap;

/// A field of a protobuf message.
#[derive(Clone, Copy)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The fields of a message. Panics if it is cut off.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes).expect("a key");
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes).expect("a number")),
            1 => {
                let (number, rest) = bytes.split_first_chunk().expect("eight bytes");
                bytes = rest;
                Field::Number(u64::from_le_bytes(*number))
            }
            2 => {
                let length = varint(&mut bytes).expect("a length") as usize;
                assert!(length <= bytes.len(), "a message is cut off");
                let (inside, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(inside)
            }
            kind => panic!("a field of kind {kind}"),
        };
        all.push((key >> 3, field));
    }
    all
}

fn bytes<'a>(fields: &[(u64, Field<'a>)], number: u64) -> Vec<&'a [u8]> {
    let inside = fields.iter().filter_map(|&(n, field)| match field {
        Field::Bytes(inside) if n == number => Some(inside),
        _ => None,
    });
    inside.collect()
}

fn numbers(fields: &[(u64, Field<'_>)], number: u64) -> Vec<u64> {
    let inside = fields.iter().filter_map(|&(n, field)| match field {
        Field::Number(inside) if n == number => Some(inside),
        _ => None,
    });
    inside.collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// A slice, or a moment: then both ends are the same.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) track: String,
    pub(crate) name: String,
    #[allow(dead_code, reason = "for messages")]
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) args: HashMap<String, String>,
    /// How many slices of the track it is inside.
    pub(crate) depth: usize,
}

/// What a file shows.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) slices: Vec<Slice>,
    pub(crate) instants: Vec<Slice>,
    /// How many arrows begin, and how many of these end.
    pub(crate) flows: usize,
    pub(crate) ended: usize,
}

impl Shown {
    pub(crate) fn count(&self, name: &str) -> usize {
        let all = self.slices.iter().chain(&self.instants);
        all.filter(|slice| slice.name == name).count()
    }

    /// The slices of goroutines on Ps under this name.
    pub(crate) fn runs<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Slice> {
        let on_p = |slice: &&Slice| slice.track.starts_with("P ") && slice.depth == 0;
        self.slices
            .iter()
            .filter(on_p)
            .filter(move |slice| slice.name.contains(name))
    }
}

/// Reads a file, and checks what holds for each: every slice ends, the slices of a track nest and go forward in time, no two
/// goroutines run on a P at once, and every arrow that ends has begun. With `whole` every slice has an end in the file;
/// otherwise the file may stop anywhere between two packets.
pub(crate) fn read(file: &[u8], whole: bool) -> Shown {
    let mut shown = Shown::default();
    let (mut names, mut keys) = (HashMap::new(), HashMap::new());
    let mut tracks: HashMap<u64, String> = HashMap::new();
    let mut open: HashMap<u64, Vec<Slice>> = HashMap::new();
    let mut last: HashMap<u64, u64> = HashMap::new();
    let mut flows: HashMap<u64, bool> = HashMap::new();
    for (number, packet) in fields(file) {
        let (1, Field::Bytes(packet)) = (number, packet) else {
            panic!("field {number} of a trace");
        };
        let packet = fields(packet);
        for names_sent in bytes(&packet, 12) {
            for (field, known) in [(2, &mut names), (3, &mut keys)] {
                for entry in bytes(&fields(names_sent), field) {
                    let entry = fields(entry);
                    known.insert(numbers(&entry, 1)[0], text(bytes(&entry, 2)[0]));
                }
            }
        }
        for track in bytes(&packet, 60) {
            let track = fields(track);
            let mut name = bytes(&track, 2).first().map(|name| text(name));
            for thread in bytes(&track, 4) {
                name = Some(text(bytes(&fields(thread), 5)[0]));
            }
            tracks.insert(numbers(&track, 1)[0], name.unwrap_or_default());
        }
        for event in bytes(&packet, 11) {
            let event = fields(event);
            let (at, track) = (numbers(&packet, 8)[0], numbers(&event, 11)[0]);
            let before = last.insert(track, at).unwrap_or(0);
            assert!(at >= before, "a track goes back in time");
            let name = match numbers(&event, 10).first() {
                Some(number) => names.get(number).expect("a name that was sent").clone(),
                None => bytes(&event, 23)
                    .first()
                    .map_or(String::new(), |name| text(name)),
            };
            let args = bytes(&event, 4).into_iter().map(|arg| {
                let arg = fields(arg);
                let value = bytes(&arg, 6).first().map(|value| text(value));
                let value = value.unwrap_or_else(|| {
                    let numbers = [numbers(&arg, 3), numbers(&arg, 7)].concat();
                    numbers[0].to_string()
                });
                (
                    keys.get(&numbers(&arg, 1)[0])
                        .expect("a key that was sent")
                        .clone(),
                    value,
                )
            });
            let stack = open.entry(track).or_default();
            let mut slice = Slice {
                track: tracks
                    .get(&track)
                    .expect("a track that was described")
                    .clone(),
                name,
                begin: at,
                end: at,
                args: args.collect(),
                depth: stack.len(),
            };
            match numbers(&event, 9)[0] {
                1 => {
                    // A goroutine's slice is the outermost, so there is one at a time.
                    let on_p = slice.track.starts_with("P ");
                    let runs = slice.args.contains_key("goroutine");
                    assert!(
                        !on_p || runs == (slice.depth == 0),
                        "{slice:?} in {stack:?}"
                    );
                    stack.push(slice);
                }
                2 => {
                    let mut ended = stack.pop().expect("a slice that has begun");
                    ended.end = at;
                    ended.args.extend(std::mem::take(&mut slice.args));
                    shown.slices.push(ended);
                }
                3 => shown.instants.push(slice),
                kind => panic!("an event of type {kind}"),
            }
            for flow in numbers(&event, 47) {
                assert!(
                    flows.insert(flow, false).is_none(),
                    "flow {flow} begins twice"
                );
            }
            for flow in numbers(&event, 48) {
                let ended = flows.get_mut(&flow).expect("a flow that has begun");
                assert!(!std::mem::replace(ended, true), "flow {flow} ends twice");
            }
        }
    }
    let left: Vec<_> = open.values().flatten().collect();
    assert!(!whole || left.is_empty(), "slices without an end: {left:?}");
    shown.flows = flows.len();
    shown.ended = flows.values().filter(|&&ended| ended).count();
    shown
}
