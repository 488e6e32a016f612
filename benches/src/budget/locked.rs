//! Which instructions of a program for x86 are locked.
//!
//! A locked instruction has the prefix `lock`, or is an exchange with memory. Callgrind says at which addresses of which
//! file instructions begin, so their first bytes are enough and nothing has to be disassembled.

use std::fs;

/// The bytes of an ELF file, by the addresses that it is linked for.
pub(super) struct Image {
    bytes: Vec<u8>,
    /// Address, length, and place in the file.
    segments: Vec<[u64; 3]>,
}

impl Image {
    /// Reads the file; none if it is no ELF file of 64 bits, little-endian.
    pub(super) fn open(path: &str) -> Option<Image> {
        let bytes = fs::read(path).ok()?;
        if !bytes.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        let (table, size, count) = (word(&bytes, 32)?, half(&bytes, 54)?, half(&bytes, 56)?);
        let header = |number: u64| {
            let at = (table + number * size) as usize;
            let loaded = bytes.get(at..at + 4)? == [1, 0, 0, 0];
            let segment = [
                word(&bytes, at + 16)?,
                word(&bytes, at + 32)?,
                word(&bytes, at + 8)?,
            ];
            loaded.then_some(segment)
        };
        let segments = (0..count).filter_map(header).collect();
        Some(Image { bytes, segments })
    }

    /// Whether the instruction at this address is locked.
    pub(super) fn is_locked(&self, address: u64) -> bool {
        let segment = self.segments.iter().find(|[start, length, _]| {
            address
                .checked_sub(*start)
                .is_some_and(|inside| inside < *length)
        });
        let code = segment
            .and_then(|[start, _, place]| self.bytes.get((address - start + place) as usize..));
        code.is_some_and(is_locked)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?).into())
}

/// Whether the instruction that begins here is locked.
fn is_locked(code: &[u8]) -> bool {
    // Prefixes: operand and address size, segments, repetition; the last one may be REX.
    let is_prefix = |byte: &u8| {
        matches!(
            byte,
            0x66 | 0x67 | 0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | 0xf2 | 0xf3
        )
    };
    let mut rest = code;
    while let [first, after @ ..] = rest {
        if !is_prefix(first) {
            break;
        }
        rest = after;
    }
    if let [0x40..=0x4f, after @ ..] = rest {
        rest = after;
    }
    match rest {
        [0xf0, ..] => true,
        // With a register in both places it is none of memory.
        [0x86 | 0x87, operands, ..] => operands >> 6 != 3,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_instruction_is_known_by_its_first_bytes() {
        let locked: [&[u8]; 5] = [
            &[0xf0, 0x48, 0x0f, 0xb1, 0x0f], // lock cmpxchg %rcx,(%rdi)
            &[0x66, 0xf0, 0x0f, 0xc1, 0x07], // lock xadd %ax,(%rdi)
            &[0x64, 0xf0, 0xff, 0x00],       // lock incl %fs:(%rax)
            &[0x87, 0x07],                   // xchg %eax,(%rdi)
            &[0x48, 0x87, 0x47, 0x08],       // xchg %rax,8(%rdi)
        ];
        let others: [&[u8]; 5] = [
            &[],
            &[0x48, 0x0f, 0xb1, 0x0f], // cmpxchg %rcx,(%rdi)
            &[0x48, 0x87, 0xc7],       // xchg %rax,%rdi
            &[0x0f, 0xae, 0xf0],       // mfence
            &[0x48, 0x89, 0xf0],       // mov %rsi,%rax
        ];
        assert!(locked.iter().all(|code| is_locked(code)));
        assert!(!others.iter().any(|code| is_locked(code)));
    }

    #[test]
    fn code_is_found_by_its_address_and_what_is_no_program_is_refused() {
        let mut bytes = vec![0; 4096];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes()); // the table of segments
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&1_u16.to_le_bytes());
        for (at, value) in [(0, 1_u64), (8, 1024), (16, 0x5000), (32, 16)] {
            bytes[64 + at..72 + at].copy_from_slice(&value.to_le_bytes());
        }
        bytes[1032] = 0xf0;
        let path = std::env::temp_dir().join(format!("goroutines-elf-{}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        let image = Image::open(path.to_str().unwrap()).unwrap();
        let at = [0x5007, 0x5008, 0x5009, 0x4fff, 0x6008].map(|at| image.is_locked(at));
        fs::write(&path, "text").unwrap();
        let none = Image::open(path.to_str().unwrap()).is_none();
        fs::remove_file(&path).unwrap();
        assert_eq!(at, [false, true, false, false, false]);
        assert!(none && Image::open("/no/such/file").is_none());
    }
}
