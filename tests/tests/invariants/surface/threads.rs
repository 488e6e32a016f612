// std::thread: every stable public item by its full type.

use std::{any::Any, cell::Cell, cell::RefCell, io, num::NonZero, result::Result};

use super::thread::{self, *};

pub(crate) fn facts() -> Vec<Fact> {
    let mut all = over_t![JoinHandle<T>, ScopedJoinHandle<'static, T>, LocalKey<T>];
    all.extend(plain![
        Thread,
        ThreadId,
        Builder,
        AccessError,
        Scope<'static, 'static>,
        thread::Result<u8>
    ]);
    all
}

#[allow(deprecated)]
fn functions<F: FnOnce() -> u8 + Send + 'static>() {
    let _: fn(F) -> JoinHandle<u8> = spawn::<F, u8>;
    let _: fn() -> Thread = current;
    let _: [fn(); 2] = [yield_now, park];
    let _: [fn(Duration); 2] = [sleep, park_timeout];
    let _: [fn(u32); 2] = [sleep_ms, park_timeout_ms];
    let _: fn() -> bool = panicking;
    let _: fn() -> io::Result<NonZero<usize>> = available_parallelism;
    let _: thread::Result<u8> = Err::<u8, Box<dyn Any + Send + 'static>>(Box::new(1));
}

fn handles() {
    type J = JoinHandle<u8>;
    let _: fn(&J) -> &Thread = J::thread;
    let _: fn(J) -> thread::Result<u8> = J::join;
    let _: fn(&J) -> bool = J::is_finished;
    let _: fn(&Thread) = Thread::unpark;
    let _: fn(&Thread) -> ThreadId = Thread::id;
    let _: fn(&Thread) -> Option<&str> = Thread::name;
}

fn builder<F: FnOnce() -> u8 + Send + 'static>() {
    let _: fn() -> Builder = Builder::new;
    let _: fn(Builder, String) -> Builder = Builder::name;
    let _: fn(Builder, usize) -> Builder = Builder::stack_size;
    let _: fn(Builder, F) -> io::Result<JoinHandle<u8>> = Builder::spawn::<F, u8>;
}

unsafe fn unchecked<'a, F: FnOnce() -> &'a u8 + Send + 'a>(f: F) -> JoinHandle<&'a u8> {
    // SAFETY: what it asks for, the caller has promised; it is never called.
    unsafe { Builder::new().spawn_unchecked(f) }.unwrap()
}

fn scopes<'scope, 'env, F: FnOnce() -> u8 + Send + 'scope>(s: &'scope Scope<'scope, 'env>, f: [F; 2]) {
    type H<'scope> = ScopedJoinHandle<'scope, u8>;
    let [f, g] = f;
    let one: H<'scope> = s.spawn::<F, u8>(f);
    let two: io::Result<H<'scope>> = Builder::new().spawn_scoped(s, g);
    let _: for<'a> fn(&'a H<'scope>) -> &'a Thread = ScopedJoinHandle::thread;
    let _: fn(H<'scope>) -> thread::Result<u8> = ScopedJoinHandle::join;
    let _: fn(&H<'scope>) -> bool = ScopedJoinHandle::is_finished;
    drop((one, two));
}

fn enters<'env, F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> u8>() {
    let _: fn(F) -> u8 = scope;
}

fn locals<F: FnOnce(&u8) -> u8>() {
    let _: fn(&'static LocalKey<u8>, F) -> u8 = LocalKey::with::<F, u8>;
    let _: fn(&'static LocalKey<u8>, F) -> Result<u8, AccessError> = LocalKey::try_with::<F, u8>;
}

fn local_cells() {
    type C = &'static LocalKey<Cell<u8>>;
    let _: fn(C, u8) = LocalKey::<Cell<u8>>::set;
    let _: [fn(C) -> u8; 2] = [LocalKey::<Cell<u8>>::get, LocalKey::<Cell<u8>>::take];
    let _: fn(C, u8) -> u8 = LocalKey::<Cell<u8>>::replace;
}

fn local_ref_cells<F: FnOnce(&u8) -> u8, M: FnOnce(&mut u8) -> u8>() {
    type C = &'static LocalKey<RefCell<u8>>;
    let _: fn(C, F) -> u8 = LocalKey::<RefCell<u8>>::with_borrow::<F, u8>;
    let _: fn(C, M) -> u8 = LocalKey::<RefCell<u8>>::with_borrow_mut::<M, u8>;
    let _: fn(C, u8) = LocalKey::<RefCell<u8>>::set;
    let _: fn(C) -> u8 = LocalKey::<RefCell<u8>>::take;
    let _: fn(C, u8) -> u8 = LocalKey::<RefCell<u8>>::replace;
}

local! {
    static ONE: Cell<u8> = const { Cell::new(1) };
    /// With a comment, for all to see.
    #[allow(unused)]
    pub(crate) static TWO: RefCell<u8> = RefCell::new(1)
}
local! {}

/// What is said of a handle and of a thread has numbers in it: up to those.
fn head(text: &str) -> String {
    text.split(['{', '(']).next().unwrap_or_default().to_owned()
}

pub(crate) fn texts() -> Vec<String> {
    let handle = spawn(|| ());
    let mut all = vec![head(&format!("{handle:?}")), head(&format!("{:?}", current().id()))];
    handle.join().unwrap();
    scope(|s| {
        let inner = s.spawn(|| ());
        all.extend([head(&format!("{s:?}")), format!("{inner:?}")]);
    });
    all.push(format!("{:?} {:?}", Thread::name(&current()), ONE.with(Cell::get)));
    all.push(head(&format!("{:?}", current())));
    all
}

/// Whether its value is there: asked while the goroutine or thread ends.
struct Asks(std::sync::mpsc::Sender<String>);

impl Drop for Asks {
    fn drop(&mut self) {
        let gone = ASKS.try_with(|_| ()).map_err(|gone| format!("{gone} {gone:?}"));
        self.0.send(format!("{gone:?}")).unwrap();
    }
}

local! {
    static ASKS: RefCell<Option<Asks>> = const { RefCell::new(None) };
}

/// An [`AccessError`] is made by the end of a thread only.
pub(crate) fn at_the_end() -> String {
    let (tx, rx) = std::sync::mpsc::channel();
    spawn(move || ASKS.set(Some(Asks(tx)))).join().unwrap();
    rx.recv().unwrap()
}
