//! Sizes in bytes as they are written in the environment: `65536`, `64K`, `1MiB`.

/// What [`parse`] understands, for messages.
pub(crate) const FORM: &str = "a number of bytes, or one followed by K, M or G (KB, KiB, ... are the same, \
                               in powers of 1024)";

/// The number of bytes that `text` means; `None` if it is no size.
pub(crate) fn parse(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_or_without_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65536),
            ("64K", 64 << 10),
            ("64k", 64 << 10),
            (" 1 MiB ", 1 << 20),
            ("1mb", 1 << 20),
            ("2G", 2 << 30),
            ("17B", 17),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_size() {
        for text in [
            "",
            "K",
            "-1",
            "+5",
            "1.5M",
            "1T",
            "1 M M",
            "0x10",
            "M1",
            "99999999999999999999",
            "17179869184G",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
