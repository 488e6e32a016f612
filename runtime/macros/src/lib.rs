//! The attribute `#[goroutines::grow]`. Use it through the crate `goroutines`, whose names it expands to.
//!
//! The body of the function becomes a closure that `goroutines::grow` calls, on this stack or on a
//! further one:
//!
//! ```text
//! #[grow]                                       fn walk(tree: &Tree, arg1: (u32, u32)) -> u32 {
//! fn walk(tree: &Tree, (a, b): (u32, u32))          ::goroutines::grow(32768, move || -> u32 {
//!     -> u32                              ──►           let tree = tree;
//! { ... }                                               let (a, b) = arg1;
//!                                                       { ... }
//!                                                   })
//!                                               }
//! ```
//!
//! Every argument is bound anew inside, in order: patterns and `mut` work as they did, what the body does
//! not use is dropped where it was, and in the same order.
//!
//! And what `goroutines::chan::select!` says of a wrong arm: `select.rs`.

mod expand;
mod select;

use proc_macro::TokenStream;

/// Lets a recursive function continue on a further stack when less than a red zone is left of this one.
///
/// At each entry the function looks how much is left, which costs some nanoseconds, and calls its body
/// there or on a linked, larger stack: see the function of the same name.
///
/// The red zone is 32 KiB, or what `#[goroutines::grow(red_zone = ...)]` says: any expression of type
/// `usize` that could stand in the function. It has to cover all that is called before the next growing
/// function is.
///
/// For functions and methods, generic or not, with any `self`, patterns and `impl Trait` as arguments,
/// any return type, `unsafe` and `extern` as well. Not for `async fn`, whose body runs elsewhere, and not
/// for `const fn`, which have no stack. A result whose type has an `impl Trait` in it is inferred from the
/// body, so a `?` in such a body may need its type spelled out. Inside, `Location::caller` is a place in
/// the function, also where it has `#[track_caller]`.
///
/// # Examples
///
/// ```
/// enum List { End, Link(u32, Box<List>) }
///
/// #[goroutines::grow]
/// fn sum(list: &List) -> u64 {
///     match list {
///         List::End => 0,
///         List::Link(n, rest) => u64::from(*n) + sum(rest),
///     }
/// }
///
/// #[goroutines::grow(red_zone = 64 * 1024)]
/// fn free(list: List) {
///     if let List::Link(_, rest) = list {
///         free(*rest);
///     }
/// }
///
/// let list = (0..200_000).fold(List::End, |rest, n| List::Link(n, Box::new(rest)));
/// assert_eq!(sum(&list), 200_000 * 199_999 / 2);
/// free(list);
/// ```
///
/// It is refused where it could not do what it says:
///
/// ```compile_fail
/// #[goroutines::grow]
/// async fn later() {}
/// ```
///
/// ```compile_fail
/// #[goroutines::grow]
/// const fn early() {}
/// ```
///
/// ```compile_fail
/// #[goroutines::grow]
/// struct NotAFunction;
/// ```
///
/// ```compile_fail
/// trait Walk {
///     #[goroutines::grow]
///     fn without_a_body(&self);
/// }
/// ```
///
/// ```compile_fail
/// #[goroutines::grow(stack = 5)]
/// fn unknown_option() {}
/// ```
///
/// ```compile_fail
/// #[goroutines::grow(red_zone = "large")]
/// fn not_a_number() {}
/// ```
///
/// The types of arguments and result are still checked:
///
/// ```compile_fail
/// #[goroutines::grow]
/// fn wrong(n: u32) -> u32 { "text" }
/// ```
///
/// ```compile_fail
/// #[goroutines::grow]
/// fn outlives<'a, 'b>(a: &'a u32, b: &'b u32) -> &'a u32 { b }
/// ```
#[proc_macro_attribute]
pub fn grow(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::grow(options.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Not for use by hand: the error of a `select!` at the tokens of the arm that is wrong.
#[doc(hidden)]
#[proc_macro]
pub fn select_error(input: TokenStream) -> TokenStream {
    select::error(input.into()).into_compile_error().into()
}

/// Not for use by hand: the variable of a `select!` that stands first, at the place of the expression after it, so that a
/// wrong type is reported there.
#[doc(hidden)]
#[proc_macro]
pub fn select_placed(input: TokenStream) -> TokenStream {
    select::placed(input.into()).into()
}
