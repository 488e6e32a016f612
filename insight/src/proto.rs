//! Writing protobuf messages: fields, one after the other, into one buffer.
//!
//! ```text
//!  field := key value        key := varint of (number << 3 | kind)
//!  kind 0: varint            seven bits a byte, the low ones first; the top bit of a byte says that more follow
//!  kind 1: eight bytes, the low ones first
//!  kind 2: varint of the length, and so many bytes: text, a nested message, or packed varints
//! ```

use std::mem;

/// A field that is a varint.
const VARINT: u32 = 0;
/// A field of eight bytes.
const FIXED: u32 = 1;
/// A field that says how long it is.
const SIZED: u32 = 2;

/// The fields of a message that were written so far.
#[derive(Default, Debug)]
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// `uint32`, `uint64`, `bool` or an enumeration. Zero is written too: some formats tell it from a field that is absent.
    pub(crate) fn uint(&mut self, field: u32, value: u64) -> &mut Message {
        self.key(field, VARINT).varint(value)
    }

    /// `int32` or `int64`: not the zigzag kinds.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "no format has such a field yet")
    )]
    pub(crate) fn int(&mut self, field: u32, value: i64) -> &mut Message {
        self.uint(field, value.cast_unsigned())
    }

    /// `fixed64`.
    pub(crate) fn fixed(&mut self, field: u32, value: u64) -> &mut Message {
        self.key(field, FIXED)
            .bytes
            .extend_from_slice(&value.to_le_bytes());
        self
    }

    /// `string`.
    pub(crate) fn text(&mut self, field: u32, value: &str) -> &mut Message {
        self.key(field, SIZED).varint(value.len() as u64);
        self.bytes.extend_from_slice(value.as_bytes());
        self
    }

    /// A nested message, whose fields `write` writes.
    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Message)) -> &mut Message {
        self.key(field, SIZED);
        let start = self.bytes.len();
        write(self);
        let end = self.bytes.len();
        // The length is known only now: it is written behind the content, and brought to its front.
        self.varint((end - start) as u64);
        let length = self.bytes.len() - end;
        self.bytes[start..].rotate_right(length);
        self
    }

    /// A repeated field of varints, as one value.
    pub(crate) fn packed(
        &mut self,
        field: u32,
        values: impl IntoIterator<Item = u64>,
    ) -> &mut Message {
        self.message(field, |message| {
            for value in values {
                message.varint(value);
            }
        })
    }

    /// What was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes what was written.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.bytes)
    }

    fn key(&mut self, field: u32, kind: u32) -> &mut Message {
        self.varint(u64::from(field << 3 | kind))
    }

    fn varint(&mut self, mut value: u64) -> &mut Message {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::default();
        write(&mut message);
        message.bytes().to_vec()
    }

    #[test]
    fn a_varint_has_seven_bits_a_byte() {
        for (value, bytes) in [
            (0, &[0x08, 0][..]),
            (1, &[0x08, 1]),
            (127, &[0x08, 0x7f]),
            (128, &[0x08, 0x80, 1]),
            (150, &[0x08, 0x96, 1]),
            (
                u64::MAX,
                &[
                    0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
                ],
            ),
        ] {
            assert_eq!(written(|it| _ = it.uint(1, value)), bytes, "{value}");
        }
    }

    #[test]
    fn a_field_number_above_fifteen_takes_a_second_byte() {
        assert_eq!(written(|it| _ = it.uint(15, 1)), [0x78, 1]);
        assert_eq!(written(|it| _ = it.uint(16, 1)), [0x80, 1, 1]);
    }

    #[test]
    fn a_negative_number_takes_all_ten_bytes() {
        let minus_two = written(|it| _ = it.int(2, -2));
        assert_eq!(minus_two[..2], [0x10, 0xfe]);
        assert_eq!((minus_two.len(), minus_two[10]), (11, 1));
        assert_eq!(written(|it| _ = it.int(2, 2)), [0x10, 2]);
    }

    #[test]
    fn eight_bytes_are_written_low_ones_first() {
        let bytes = written(|it| _ = it.fixed(3, 0x0102));
        assert_eq!(bytes, [0x19, 2, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn texts_say_how_long_they_are() {
        let bytes = written(|it| _ = it.text(2, "testing"));
        assert_eq!(bytes, b"\x12\x07testing");
        assert_eq!(written(|it| _ = it.text(2, "")), [0x12, 0]);
    }

    #[test]
    fn messages_nest() {
        let bytes = written(|it| {
            it.message(3, |inner| {
                inner.uint(1, 150).message(4, |_| {}).text(2, "x");
            })
            .uint(5, 7);
        });
        let inner = [0x08, 0x96, 1, 0x22, 0, 0x12, 1, b'x'];
        assert_eq!(bytes[..2], [0x1a, inner.len() as u8]);
        assert_eq!(bytes[2..10], inner);
        assert_eq!(bytes[10..], [0x28, 7]);
    }

    #[test]
    fn a_message_of_many_bytes_has_a_length_of_two() {
        let long = "y".repeat(300);
        let bytes = written(|it| _ = it.message(1, |inner| _ = inner.text(1, &long)));
        assert_eq!(bytes[..6], [0x0a, 0xaf, 2, 0x0a, 0xac, 2]);
        assert_eq!(bytes[6..], *long.as_bytes());
    }

    #[test]
    fn packed_numbers_have_one_key() {
        let bytes = written(|it| _ = it.packed(4, [3, 270, 86_942]));
        assert_eq!(bytes, [0x22, 6, 3, 0x8e, 2, 0x9e, 0xa7, 5]);
    }

    #[test]
    fn a_message_is_used_again() {
        let mut message = Message::default();
        assert_eq!(message.uint(1, 1).take(), [0x08, 1]);
        assert!(message.bytes().is_empty());
    }
}
