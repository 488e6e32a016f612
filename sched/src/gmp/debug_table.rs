//! The table that debuggers read: where all goroutines are, and what lies where in their descriptors.
//!
//! A script of a debugger reads a process that stands still, or a core file. It finds [`TABLE`] by the name of its
//! section, and needs neither symbols nor debug information:
//!
//! ```text
//!   section goroutines_debug_v1     chunks, the newest first          Gs
//!  ┌───────────────────────┐       ┌──────────────────┐             ┌─────────────┐
//!  │ magic, version, count │   ┌──►│ next             │             │ G: offsets  │
//!  │ names ──► "g_size .." │   │   │ gs ──────────────┼────────────►│ in the table│
//!  │ chunks ───────────────┼───┘   │ count            │             ├─────────────┤
//!  │ a word for each name  │       └──────────────────┘             │ G           │
//!  └───────────────────────┘
//! ```
//!
//! The names make the order of the words the table's own affair. The version changes when a word gets another meaning, or
//! goes. The compiler fills in the offsets, so they cannot be out of date.

use std::{
    mem::offset_of,
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use goroutines_stack::{IMAGE_SIZES, IMAGE_TAGS, STACK_TAGS};

use crate::{
    gmp::{g::G, identity::Inner, m::M, segment::Segment, window::Window},
    protocol::{status, wait_reason::WaitReason},
    sys::asm::{Native, Port, Root},
};

/// Some Gs. Never changed or freed after it is in the list.
#[repr(C)]
struct Chunk {
    next: *const Chunk,
    gs: *const G,
    count: usize,
}

/// The address of a text that ends with a NUL.
#[repr(transparent)]
pub(crate) struct Text(*const u8);

// SAFETY: the text is a constant of the program.
unsafe impl Sync for Text {}

/// Makes the table of the words that are given.
macro_rules! table {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr,)*) => {
        /// The table. Words of the size of an address follow each other without gaps, as a script reads them.
        #[repr(C)]
        pub(crate) struct DebugTable {
            magic: [u8; 8],
            version: u32,
            /// How many words follow `names`.
            count: u32,
            /// The names of these words, with a space behind each.
            names: Text,
            $($(#[$doc])* $name: $type,)*
        }

        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(const _: () = assert!(size_of::<$type>() == size_of::<usize>());)*

        /// What a debugger looks for.
        ///
        /// In a section of its own, and not under a name of its own: two versions of this crate may be in one program, and
        /// its symbols may be stripped.
        #[used]
        // SAFETY: a section for data that no other code claims.
        #[unsafe(link_section = "goroutines_debug_v1")]
        pub(crate) static TABLE: DebugTable = DebugTable {
            magic: *b"goroutin",
            version: 1,
            count: NAMES.len() as u32,
            names: Text(concat!($(stringify!($name), " ",)* "\0").as_ptr()),
            $($name: $value,)*
        };
    };
}

table! {
    /// The newest chunk.
    chunks: AtomicPtr<Chunk> = AtomicPtr::new(ptr::null_mut()),
    g_size: usize = size_of::<G>(),
    g_ctx: usize = offset_of!(G, ctx),
    g_status: usize = offset_of!(G, status),
    g_wait_on: usize = offset_of!(G, wait_on),
    g_id: usize = offset_of!(G, id),
    g_last: usize = offset_of!(G, last),
    g_window: usize = offset_of!(G, window),
    g_image: usize = offset_of!(G, image),
    g_segments: usize = offset_of!(G, segments),
    g_identity: usize = offset_of!(G, identity),
    /// An address and a length.
    identity_name: usize = offset_of!(Inner, name),
    /// Bits that `g_last` has beside the address of an M.
    m_tags: usize = align_of::<M>() - 1,
    m_current: usize = offset_of!(M, current),
    m_thread: usize = offset_of!(M, thread),
    segment_back: usize = offset_of!(Segment, back),
    segment_prev: usize = offset_of!(Segment, prev),
    window_stack: usize = offset_of!(Window, stack),
    window_resident: usize = offset_of!(Window, resident),
    /// Bits that the word of a stack has beside its top.
    stack_tags: usize = STACK_TAGS,
    /// Bits that the word of an image has beside its address: the index of its size.
    image_tags: usize = IMAGE_TAGS,
    image_sizes: &'static [usize; IMAGE_SIZES.len()] = &IMAGE_SIZES,
    /// How far a frame begins below its context, and where its words are.
    frame_size: usize = size_of::<<Native as Port>::Frame>(),
    frame_ip: usize = Native::LAYOUT.ip,
    frame_fp: usize = Native::LAYOUT.fp,
    frame_base: usize = Native::LAYOUT.base,
    linked_root: Root = Native::LINKED_ROOT,
    linked_root_length: usize = Native::LINKED_ROOT_LENGTH,
    /// The names of the statuses and of the reasons, in the order of their numbers, with commas between.
    statuses: Text = Text(status::NAMES.as_ptr()),
    reasons: Text = Text(WaitReason::NAMES.as_ptr()),
}

/// Lists a batch of new Gs. One caller at a time.
pub(crate) fn add(gs: &'static [G]) {
    let newest = &TABLE.chunks;
    let chunk = Box::leak(Box::new(Chunk {
        // Relaxed: only a caller of this changes it.
        next: newest.load(Ordering::Relaxed),
        gs: gs.as_ptr(),
        count: gs.len(),
    }));
    // Release: a debugger may stop the process at any moment, and then the chunk is whole.
    newest.store(chunk, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gmp::{
            g::{GRef, Kind},
            identity::Identity,
        },
        protocol::status::Status,
    };

    #[test]
    fn the_words_are_as_many_as_their_names_and_without_gaps() {
        let table = &TABLE;
        assert_eq!(offset_of!(DebugTable, names), 16);
        let word = size_of::<usize>();
        assert_eq!(offset_of!(DebugTable, chunks), 16 + word);
        assert_eq!(size_of::<DebugTable>(), 16 + word * (1 + NAMES.len()));
        assert_eq!(table.count as usize, NAMES.len());
        let names = concat_of(NAMES);
        // SAFETY: the text has as many bytes, and a NUL.
        let text = unsafe { std::ffi::CStr::from_ptr(table.names.0.cast()) };
        assert_eq!(text.to_str(), Ok(names.as_str()));
    }

    fn concat_of(names: &[&str]) -> String {
        names.iter().map(|name| format!("{name} ")).collect()
    }

    #[test]
    fn statuses_and_reasons_have_their_names_in_the_order_of_their_numbers() {
        let statuses: Vec<&str> = status::NAMES.trim_end_matches('\0').split(',').collect();
        assert_eq!(statuses.len(), Status::Timed as usize + 1);
        for (status, name) in [
            (Status::Fresh, "fresh"),
            (Status::Runnable, "runnable"),
            (Status::Running, "running"),
            (Status::Waiting, "waiting"),
            (Status::Dead, "dead"),
            (Status::Marked, "waiting"),
            (Status::Shrunk, "waiting"),
            (Status::Blocked, "blocked"),
            (Status::Timed, "blocked"),
        ] {
            assert_eq!(statuses[status as usize], name);
        }
        let reasons = WaitReason::NAMES.trim_end_matches('\0').split(',');
        let all: Vec<String> = WaitReason::ALL.iter().map(ToString::to_string).collect();
        assert!(reasons.eq(all.iter().map(String::as_str)));
    }

    /// Scripts read these as plain words, although the language does not say that they are.
    #[test]
    fn names_and_references_are_laid_out_as_scripts_read_them() {
        let name: Option<Box<str>> = Some("flush".into());
        let start = name.as_deref().map_or(ptr::null(), str::as_ptr).addr();
        // SAFETY: an optional box of a str has two words, and any words are two numbers.
        let words = unsafe { (&raw const name).cast::<[usize; 2]>().read() };
        assert_eq!(
            (size_of_val(&name), words),
            (2 * size_of::<usize>(), [start, 5])
        );
        let none: Option<Box<str>> = None;
        // SAFETY: an optional box of a str has two words; the first is null.
        assert_eq!(unsafe { (&raw const none).cast::<usize>().read() }, 0);

        let g: &'static G = Box::leak(Box::new(G::new(Kind::Goroutine)));
        let current = Some(GRef::new(g));
        // SAFETY: an optional GRef has one word.
        let word = unsafe { (&raw const current).cast::<usize>().read() };
        assert_eq!(word, ptr::from_ref(g).addr());

        g.identity
            .get_or_make(|| Identity::named(7, "flush".into()));
        // SAFETY: the cell is one word, the address of the identity's inner part.
        let inner = unsafe { (&raw const g.identity).cast::<*const u8>().read() };
        // SAFETY: there lies a name that was given.
        let length = unsafe {
            inner
                .add(offset_of!(Inner, name) + size_of::<usize>())
                .cast::<usize>()
                .read()
        };
        assert_eq!(length, 5);
    }
}
