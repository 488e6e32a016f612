//! The code of the process: the program and its libraries, with the tables that unwinders read.
//!
//! ```text
//!  a module, as the dynamic linker reports it
//!   PT_LOAD ...      its addresses
//!   PT_GNU_EH_FRAME  .eh_frame_hdr: the table that is searched; its head says where .eh_frame is
//! ```
//!
//! The tables are read where they are mapped. A library that the program unloads takes its tables along: one that is
//! unloaded during a dump ends the program, as a call into it would. The list is made again when the dynamic linker has
//! loaded or unloaded something since.

use std::{
    collections::BTreeSet,
    env,
    ffi::{CStr, c_int},
    mem,
    ops::Range,
    slice,
    sync::Mutex,
};

pub(crate) use crate::unwind::{Cache, Unwinder};
use crate::unwind::{Module, Unwind as _};

/// A program header.
#[cfg(target_pointer_width = "64")]
type Header = libc::Elf64_Phdr;
#[cfg(target_pointer_width = "32")]
type Header = libc::Elf32_Phdr;

/// The modules, and what is known of them.
pub(crate) struct Modules {
    pub(crate) unwinder: Unwinder,
    pub(crate) cache: Box<Cache>,
    /// How often the dynamic linker had loaded and unloaded something; `None`: the list was not made.
    changes: Option<(u64, u64)>,
}

static MODULES: Mutex<Option<Modules>> = Mutex::new(None);

/// Calls `f` with the modules of now. One caller at a time.
pub(crate) fn with<R>(f: impl FnOnce(&mut Modules) -> R) -> R {
    let mut place = match MODULES.lock() {
        Ok(place) => place,
        Err(poisoned) => poisoned.into_inner(),
    };
    let modules = place.get_or_insert_with(Modules::none);
    modules.update();
    f(modules)
}

impl Modules {
    fn none() -> Modules {
        Modules {
            unwinder: Unwinder::new(),
            cache: Box::default(),
            changes: None,
        }
    }

    /// Returns the files, if they have changed.
    fn update(&mut self) -> Vec<File> {
        let listed = Listed::now(self.changes, false);
        if self.changes == Some(listed.changes) {
            return Vec::new();
        }
        self.changes = Some(listed.changes);
        self.unwinder = Unwinder::new();
        for module in listed.modules {
            self.unwinder.add(module);
        }
        listed.files
    }
}

/// Unwinders for signal handlers, which may use one for longer than the modules stay: the tables of libraries are copies. A
/// copy stays for good, once for each content, because a handler may be reading it.
#[derive(Default)]
pub(crate) struct Tables {
    /// All that were made; handlers may use any of them.
    unwinders: Vec<*mut Unwinder>,
    changes: Option<(u64, u64)>,
}

// SAFETY: unwinders are memory that belongs to no thread.
unsafe impl Send for Tables {}

impl Tables {
    /// The unwinder of the modules of now. It stays as long as `self`.
    pub(crate) fn update(&mut self) -> *mut Unwinder {
        let listed = Listed::now(self.changes, true);
        match self.unwinders.last() {
            Some(&unwinder) if self.changes == Some(listed.changes) => unwinder,
            _ => {
                self.changes = Some(listed.changes);
                let mut unwinder = Unwinder::new();
                for module in listed.modules {
                    unwinder.add(module);
                }
                let unwinder = Box::into_raw(Box::new(unwinder));
                self.unwinders.push(unwinder);
                unwinder
            }
        }
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        for &unwinder in &self.unwinders {
            // SAFETY: from `Box::into_raw` in `update`. Who uses it owes that it does not after this.
            drop(unsafe { Box::from_raw(unwinder) });
        }
    }
}

/// A copy of `table` that stays.
fn copy_of(table: &[u8]) -> &'static [u8] {
    static COPIES: Mutex<BTreeSet<&'static [u8]>> = Mutex::new(BTreeSet::new());
    let mut copies = match COPIES.lock() {
        Ok(copies) => copies,
        Err(poisoned) => poisoned.into_inner(),
    };
    if let Some(copy) = copies.get(table) {
        return copy;
    }
    let copy: &[u8] = Box::leak(Box::from(table));
    copies.insert(copy);
    copy
}

struct Listed {
    modules: Vec<Module>,
    files: Vec<File>,
    changes: (u64, u64),
    /// As they were before: then the modules are not listed.
    before: Option<(u64, u64)>,
    /// Whether the tables of libraries are copied.
    copies: bool,
    is_first: bool,
}

impl Listed {
    fn now(before: Option<(u64, u64)>, copies: bool) -> Listed {
        let mut listed = Listed {
            modules: Vec::new(),
            files: Vec::new(),
            changes: (0, 0),
            before,
            copies,
            is_first: true,
        };
        // SAFETY: the callback gets the list back as its argument, while it lives.
        unsafe { libc::dl_iterate_phdr(Some(list), (&raw mut listed).cast()) };
        listed
    }
}

/// A piece of code, as profiles name it.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) range: Range<u64>,
    /// Where in the file it begins.
    pub(crate) offset: u64,
    pub(crate) file: String,
}

/// The code that is mapped now.
pub(crate) fn mappings() -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    // SAFETY: the callback gets the list back as its argument, while it lives.
    unsafe { libc::dl_iterate_phdr(Some(list_mapping), (&raw mut mappings).cast()) };
    mappings
}

/// Called by the dynamic linker for each module.
///
/// # Safety
///
/// `info` is one that the dynamic linker has made, and `mappings` a vector of [`Mapping`].
unsafe extern "C" fn list_mapping(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    mappings: *mut libc::c_void,
) -> c_int {
    // SAFETY: the caller's list, which only this call uses.
    let mappings = unsafe { &mut *mappings.cast::<Vec<Mapping>>() };
    // SAFETY: the dynamic linker's record, which lives until this returns.
    let info = unsafe { &*info };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the record's headers, of which it has so many.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let name = match info.dlpi_name.is_null() {
        true => String::new(),
        // SAFETY: the record's name is a C string.
        false => unsafe { CStr::from_ptr(info.dlpi_name) }
            .to_string_lossy()
            .into_owned(),
    };
    // The program itself has no name.
    let file = match name.is_empty() {
        true => env::current_exe()
            .map(|path| path.display().to_string())
            .unwrap_or_default(),
        false => name,
    };
    for header in headers {
        if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0 {
            let span = span(header);
            mappings.push(Mapping {
                range: wide(info.dlpi_addr) + span.start..wide(info.dlpi_addr) + span.end,
                offset: wide(header.p_offset),
                file: file.clone(),
            });
        }
    }
    0
}

/// Where a file is mapped.
pub(crate) struct File {
    /// Empty: the program.
    pub(crate) name: String,
    pub(crate) base: u64,
    pub(crate) range: Range<u64>,
}

/// The modules of now.
#[cfg(test)]
pub(crate) fn all() -> Vec<Module> {
    Listed::now(None, false).modules
}

/// The unwinder of the modules of now, and their files.
pub(crate) fn of_now() -> (Unwinder, Vec<File>) {
    let mut modules = Modules::none();
    let files = modules.update();
    (modules.unwinder, files)
}

/// Called by the dynamic linker for each module.
///
/// # Safety
///
/// `info` is one that the dynamic linker has made, and `listed` a [`Listed`].
unsafe extern "C" fn list(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    listed: *mut libc::c_void,
) -> c_int {
    // SAFETY: the caller's list, which only this call uses.
    let listed = unsafe { &mut *listed.cast::<Listed>() };
    // SAFETY: the dynamic linker's record, which lives until this returns.
    let info = unsafe { &*info };
    listed.changes = (info.dlpi_adds, info.dlpi_subs);
    if listed.before == Some(listed.changes) {
        return 1;
    }
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // The first is the program, which stays.
    let copies = listed.copies && !mem::replace(&mut listed.is_first, false);
    // SAFETY: the record's headers, of which it has so many.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    // SAFETY: the headers are those of a module that is loaded with this displacement, at least until this returns.
    let module = unsafe { module(wide(info.dlpi_addr), headers, copies) };
    let name = (!info.dlpi_name.is_null()).then(|| {
        // SAFETY: not null, so it is the linker's name of the module.
        unsafe { CStr::from_ptr(info.dlpi_name) }.to_string_lossy()
    });
    listed.files.extend(module.as_ref().map(|module| File {
        name: name.unwrap_or_default().into_owned(),
        base: wide(info.dlpi_addr),
        range: module.range.clone(),
    }));
    listed.modules.extend(module);
    0
}

fn span(header: &Header) -> Range<u64> {
    let start = wide(header.p_vaddr);
    start..start + wide(header.p_memsz)
}

/// A number of the dynamic linker's, which are as wide as a word.
fn wide(word: impl Into<u64>) -> u64 {
    word.into()
}

/// The module that is mapped `base` above its own addresses; `None` if it has no table that can be searched.
///
/// # Safety
///
/// The headers describe what is mapped there.
unsafe fn module(base: u64, headers: &[Header], copies: bool) -> Option<Module> {
    let loads = || {
        headers
            .iter()
            .filter(|header| header.p_type == libc::PT_LOAD)
    };
    let code = loads().filter(|header| header.p_flags & libc::PF_X != 0);
    let code = code
        .map(span)
        .reduce(|one, other| one.start.min(other.start)..one.end.max(other.end))?;
    let all = loads()
        .map(span)
        .reduce(|one, other| one.start.min(other.start)..one.end.max(other.end))?;
    let table = headers
        .iter()
        .find(|header| header.p_type == libc::PT_GNU_EH_FRAME)
        .map(span)?;
    // SAFETY: the header says that the table is mapped.
    let table_bytes = unsafe { mapped(base, &table) };
    let start = eh_frame(table.start, table_bytes)?;
    let load = loads().map(span).find(|load| load.contains(&start))?;
    let kept = |table| if copies { copy_of(table) } else { table };
    // Its length stands nowhere; it ends with an entry of length 0, and searches go to entries that the table names.
    let frames = start..load.end;
    // SAFETY: from its start to the end of the segment that it lies in.
    let frames_bytes = unsafe { mapped(base, &frames) };
    Some(Module {
        range: base + all.start..base + all.end,
        base,
        code,
        header: (table, kept(table_bytes)),
        frames: (frames, kept(frames_bytes)),
    })
}

/// # Safety
///
/// The addresses, moved by `base`, are mapped and readable, and their content does not change.
unsafe fn mapped(base: u64, range: &Range<u64>) -> &'static [u8] {
    let start = std::ptr::with_exposed_provenance((base + range.start) as usize);
    // SAFETY: what the caller says. The module stays: see the head of this file.
    unsafe { slice::from_raw_parts(start, (range.end - range.start) as usize) }
}

/// The address of `.eh_frame`, from the head of `.eh_frame_hdr`, which lies at `at`: version, three encodings, and the
/// address. Linkers write it as a difference of four bytes.
fn eh_frame(at: u64, table: &[u8]) -> Option<u64> {
    const PC_RELATIVE_SDATA4: u8 = 0x1b;
    let head: &[u8; 8] = table.first_chunk()?;
    let [version, encoding, _, _, distance @ ..] = head;
    if (*version, *encoding) != (1, PC_RELATIVE_SDATA4) {
        return None;
    }
    let distance = i32::from_ne_bytes(*distance);
    (at + mem::size_of::<u32>() as u64).checked_add_signed(i64::from(distance))
}

#[cfg(test)]
mod tests {
    use goroutines_sched::UNWIND_REGISTERS;

    use super::*;

    #[test]
    fn the_address_of_the_frames_is_read_from_a_head_that_is_understood() {
        let mut head = [1, 0x1b, 3, 0x3b, 0, 0, 0, 0, 9];
        head[4..8].copy_from_slice(&(-20_i32).to_ne_bytes());
        assert_eq!(eh_frame(100, &head), Some(84));
        assert_eq!(eh_frame(100, &head[..7]), None, "too short");
        head[1] = 0x1c;
        assert_eq!(eh_frame(100, &head), None, "another encoding");
    }

    #[test]
    fn the_program_itself_is_one_of_the_modules() {
        let here = the_program_itself_is_one_of_the_modules as fn() as usize as u64;
        let holds = |module: &Module| module.range.contains(&here);
        assert_eq!(all().iter().any(holds), UNWIND_REGISTERS.has_tables);
    }
}
