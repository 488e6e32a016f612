//! The switch inside a shared library that is loaded at run time (examples/library.rs).

use goroutines_asm::{set_thread_word, thread_word};
use std::ffi::{CStr, CString};
use std::{env, thread};

/// The functions of the library.
#[derive(Clone, Copy)]
struct Library {
    word: extern "C" fn() -> usize,
    set_word: extern "C" fn(usize),
    double: extern "C" fn(usize) -> usize,
}

impl Library {
    fn load() -> Self {
        let exe = env::current_exe().expect("the test's own path");
        let profile = exe.ancestors().nth(2).expect("tests lie in <profile>/deps");
        let path = profile.join("examples/liblibrary.so");
        assert!(
            path.exists(),
            "{} is missing: run `cargo build --example library` first",
            path.display()
        );
        let path =
            CString::new(path.into_os_string().into_encoded_bytes()).expect("no zero in a path");
        // SAFETY: the library has no initialisers of its own.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            // SAFETY: `dlopen` has failed, so there is a message.
            let message = unsafe { CStr::from_ptr(libc::dlerror()) };
            panic!("dlopen: {}", message.to_string_lossy());
        }
        let symbol = |name: &CStr| {
            // SAFETY: the handle is from `dlopen`, and is never closed.
            let address = unsafe { libc::dlsym(library, name.as_ptr()) };
            assert!(!address.is_null(), "no {name:?} in the library");
            address
        };
        // SAFETY: the types are those of the definitions in examples/library.rs.
        unsafe {
            Self {
                word: std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> usize>(symbol(
                    c"library_word",
                )),
                set_word: std::mem::transmute::<*mut libc::c_void, extern "C" fn(usize)>(symbol(
                    c"library_set_word",
                )),
                double: std::mem::transmute::<*mut libc::c_void, extern "C" fn(usize) -> usize>(
                    symbol(c"library_double"),
                ),
            }
        }
    }
}

#[test]
fn shared_library_switches_and_has_its_own_thread_word() {
    // A thread that is older than the library, and one that is younger.
    let (send, receive) = std::sync::mpsc::channel::<Library>();
    let check = |library: Library, tag: usize| {
        assert_eq!((library.word)(), 0);
        (library.set_word)(tag);
        set_thread_word((tag + 1) as *mut ());
        assert_eq!(((library.word)(), thread_word() as usize), (tag, tag + 1));
        assert_eq!((library.double)(21), 42 + tag);
    };
    let older = thread::spawn(move || check(receive.recv().expect("a library"), 100));
    let library = Library::load();
    check(library, 200);
    send.send(library).expect("the older thread waits");
    older.join().expect("the older thread's asserts hold");
    thread::spawn(move || check(library, 300))
        .join()
        .expect("the younger thread's asserts hold");
    assert_eq!((library.word)(), 200);
}
