//! What the attribute makes of a function.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Error, Expr, FnArg, Ident, ItemFn, Pat, PatIdent, Result, ReturnType, Token, Type,
    parse::{Parse, ParseStream},
    parse_quote, parse2,
    spanned::Spanned,
};

/// What is kept free where the attribute says nothing.
const RED_ZONE: usize = 32 << 10;

/// `red_zone = EXPRESSION`, or nothing.
struct Options {
    red_zone: Expr,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Options> {
        if input.is_empty() {
            return Ok(Options {
                red_zone: parse_quote!(#RED_ZONE),
            });
        }
        let name: Ident = input.parse()?;
        if name != "red_zone" {
            return Err(Error::new(
                name.span(),
                format!("grow: `{name}` is no option of it; there is `red_zone = BYTES`"),
            ));
        }
        input.parse::<Token![=]>()?;
        let red_zone = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        if input.is_empty() {
            Ok(Options { red_zone })
        } else {
            Err(input.error("grow: `red_zone = BYTES` is its only option"))
        }
    }
}

/// The function with its body moved into a call of `::goroutines::grow`.
pub(crate) fn grow(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let Options { red_zone } = parse2(options)?;
    let mut function: ItemFn =
        parse2(item.clone()).map_err(|cause| not_a_function(&item, &cause))?;
    check(&function)?;
    let bindings = bind_arguments(&mut function);
    let output = closure_output(&function.sig.output);
    let body = &function.block;
    let span = function.sig.ident.span();
    let call = quote_spanned!(span=> ::goroutines::grow);
    // The type of the red zone is named, so that a mistake in it is reported there.
    function.block = parse_quote!({
        #call({ let red_zone: usize = #red_zone; red_zone }, move || #output {
            #(#bindings)*
            #body
        })
    });
    Ok(quote!(#function))
}

fn not_a_function(item: &TokenStream, cause: &Error) -> Error {
    let mut error = Error::new(
        Span::call_site(),
        "grow: this is not a function with a body; put the attribute on a `fn` or a method",
    );
    // Where it is a function after all, the mistake is inside.
    if item.to_string().contains("fn ") {
        error.combine(cause.clone());
    }
    error
}

fn check(function: &ItemFn) -> Result<()> {
    let sig = &function.sig;
    if let Some(token) = &sig.asyncness {
        return Err(Error::new(
            token.span(),
            "grow: an `async fn` only makes a future; the function that polls it is the one to grow",
        ));
    }
    if let Some(token) = &sig.constness {
        return Err(Error::new(
            token.span(),
            "grow: a `const fn` can run in the compiler, where there is no stack to grow; remove `const`",
        ));
    }
    if let Some(dots) = &sig.variadic {
        return Err(Error::new(
            dots.span(),
            "grow: a list of variable arguments cannot be moved to another stack",
        ));
    }
    Ok(())
}

/// Gives every argument that has a pattern a name, and returns the bindings that restore the patterns.
fn bind_arguments(function: &mut ItemFn) -> Vec<TokenStream> {
    let mut bindings = Vec::new();
    for (n, argument) in function.sig.inputs.iter_mut().enumerate() {
        let FnArg::Typed(argument) = argument else {
            continue; // `self` cannot be bound; the closure captures it where it is used.
        };
        let pattern = argument.pat.clone();
        let name = match &*pattern {
            Pat::Ident(PatIdent {
                ident,
                by_ref: None,
                subpat: None,
                ..
            }) => ident.clone(),
            Pat::Wild(_) => continue, // nothing to bind: dropped at the end of the function
            _ => format_ident!("arg{n}", span = Span::mixed_site()),
        };
        argument.pat = parse_quote!(#name);
        // Its attributes (`cfg`, `allow`) stand at the argument and hold for the binding too.
        let attributes = &argument.attrs;
        bindings.push(quote!(#(#attributes)* let #pattern = #name;));
    }
    bindings
}

/// The closure's return type: the function's, unless it has a part that only a function can have.
fn closure_output(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Type(_, ty) if has_impl(ty) => TokenStream::new(),
        ReturnType::Type(arrow, ty) => quote!(#arrow #ty),
        ReturnType::Default => quote!(-> ()),
    }
}

/// Returns whether there is an `impl Trait` anywhere in the type.
fn has_impl(ty: &Type) -> bool {
    fn search(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            proc_macro2::TokenTree::Ident(ident) => ident == "impl",
            proc_macro2::TokenTree::Group(group) => search(group.stream()),
            _ => false,
        })
    }
    search(quote!(#ty))
}
