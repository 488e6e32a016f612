//! From a frame to its caller: the step of which walks are made.
//!
//! | CPU | who steps |
//! |---|---|
//! | x86_64 | framehop: it knows the registers, and keeps the rules that it has found |
//! | others | [`Cfi`](crate::cfi::Cfi): evaluates the tables of each frame by the numbers that they give to registers |
//!
//! framehop knows aarch64 as well. There it takes a frame whose caller has a frame pointer of zero for the outermost one, so
//! its walks end a frame before the root of a goroutine, and seem cut off.
//!
//! Both are compiled for every CPU, and its name chooses one ([`Unwinder`]). Neither allocates in a step, takes a lock, or
//! reads memory by itself.

use std::ops::Range;

use framehop::{
    ExplicitModuleSectionInfo, FrameAddress, MustNotAllocateDuringUnwind as NoAllocation,
    Unwinder as _,
    x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64},
};
use goroutines_sched::{CPU, Registers};

use crate::cfi::Cfi;

/// The one of this CPU.
pub(crate) type Unwinder = <Framehops<{ matches!(CPU.as_bytes(), b"x86_64") }> as Choice>::Unwinder;
/// What it keeps between steps.
pub(crate) type Cache = <Unwinder as Unwind>::Cache;

/// Steps from frame to frame.
pub(crate) trait Unwind {
    /// What it keeps between steps.
    type Cache: Default;
    /// The registers of a frame, as far as they are known.
    type Registers;

    /// Knows no code.
    fn new() -> Self;

    /// Makes the code of a module known.
    fn add(&mut self, module: Module);

    /// The registers with which a walk begins.
    fn begin(start: Registers) -> Self::Registers;

    /// The caller of the frame at `place`, whose registers become those of the caller. `read` reads a word. Async-signal-safe.
    fn caller(
        &self,
        place: Place,
        registers: &mut Self::Registers,
        cache: &mut Self::Cache,
        read: &mut impl FnMut(u64) -> Option<u64>,
    ) -> Caller;
}

/// The code of a module, and the tables that tell of it. Ranges are the module's own addresses, but for the first.
pub(crate) struct Module {
    /// Where it is mapped.
    pub(crate) range: Range<u64>,
    /// How far above its own addresses.
    pub(crate) base: u64,
    pub(crate) code: Range<u64>,
    /// `.eh_frame_hdr`.
    pub(crate) header: (Range<u64>, &'static [u8]),
    /// `.eh_frame`, and what lies behind.
    pub(crate) frames: (Range<u64>, &'static [u8]),
}

/// Where the code of a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) ip: u64,
    /// Whether this is where a call returns to: it may be the start of the next function.
    pub(crate) is_return: bool,
}

/// What a step has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Caller {
    At(Place),
    /// The tables say that nothing has called this frame.
    Outermost,
    /// There is no table for it, or a word could not be read.
    Unknown,
}

/// Whether framehop steps on a CPU.
pub(crate) struct Framehops<const IT_DOES: bool>;

/// The unwinder that this chooses.
pub(crate) trait Choice {
    type Unwinder: Unwind;
}

impl Choice for Framehops<true> {
    type Unwinder = Framehop;
}

impl Choice for Framehops<false> {
    type Unwinder = Cfi;
}

/// framehop's unwinder.
pub(crate) struct Framehop(UnwinderX86_64<&'static [u8], NoAllocation>);

impl Unwind for Framehop {
    type Cache = CacheX86_64<NoAllocation>;
    type Registers = UnwindRegsX86_64;

    fn new() -> Framehop {
        Framehop(UnwinderX86_64::new())
    }

    fn add(&mut self, module: Module) {
        let Module {
            range,
            base,
            code,
            header,
            frames,
        } = module;
        self.0.add_module(framehop::Module::new(
            String::new(),
            range,
            base,
            ExplicitModuleSectionInfo {
                text_svma: Some(code),
                eh_frame_hdr_svma: Some(header.0),
                eh_frame_hdr: Some(header.1),
                eh_frame_svma: Some(frames.0),
                eh_frame: Some(frames.1),
                ..ExplicitModuleSectionInfo::default()
            },
        ));
    }

    fn begin(start: Registers) -> UnwindRegsX86_64 {
        UnwindRegsX86_64::new(start.link as u64, start.sp as u64, start.fp as u64)
    }

    fn caller(
        &self,
        place: Place,
        registers: &mut UnwindRegsX86_64,
        cache: &mut CacheX86_64<NoAllocation>,
        read: &mut impl FnMut(u64) -> Option<u64>,
    ) -> Caller {
        let address = match place.is_return {
            false => Some(FrameAddress::from_instruction_pointer(place.ip)),
            true => FrameAddress::from_return_address(place.ip),
        };
        let Some(address) = address else {
            return Caller::Unknown;
        };
        let caller = self
            .0
            .unwind_frame(address, registers, cache, &mut |at| read(at).ok_or(()));
        match caller {
            Ok(Some(0)) | Err(_) => Caller::Unknown,
            Ok(Some(ip)) => Caller::At(Place {
                ip,
                is_return: true,
            }),
            Ok(None) => Caller::Outermost,
        }
    }
}
