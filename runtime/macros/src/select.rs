//! What `select!` says of an arm that it does not understand, at the tokens of that arm.
//!
//! The steps of `select!` are a `macro_rules!`, whose own errors would underline the whole call. So where none of its rules
//! fits it hands over what is left of the arms, and which part of the arm was expected. The error is looked for here, where
//! tokens still know where they stand in the source.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::Error;

const FORMS: &str = "an arm is `recv(receiver) -> pattern => expression`, `send(sender, message) -> pattern => expression`, \
                     `default => expression` or `default(timeout) => expression`";

/// The error for what stands after the first word of `input`. The word says what was expected there: the `body` of an arm,
/// another arm after a default (`once`), or any arm.
pub(crate) fn error(input: TokenStream) -> Error {
    let mut tokens = input.into_iter();
    let expected = tokens.next().map(|word| word.to_string());
    let rest: Vec<TokenTree> = tokens.collect();
    match expected.as_deref() {
        Some("body") => wrong_body(&rest),
        Some("once") if is_word(rest.first(), "default") => {
            at(&rest[..1], "there can be only one `default` in a `select!`")
        }
        _ => wrong_arm(&rest),
    }
}

/// The first token, as if it stood where the expression does that is after it.
pub(crate) fn placed(input: TokenStream) -> TokenStream {
    let mut tokens = input.into_iter();
    let Some(mut name) = tokens.next() else {
        return TokenStream::new();
    };
    if let Some(place) = first(tokens.collect()) {
        name.set_span(name.span().located_at(place));
    }
    name.into()
}

/// Where the first token stands. What a `macro_rules!` passes on is in a group that stands nowhere.
fn first(tokens: TokenStream) -> Option<Span> {
    match tokens.into_iter().next()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => first(group.stream()),
        token => Some(token.span()),
    }
}

/// An error at these tokens, from the first to the last one.
fn at(tokens: &[TokenTree], message: &str) -> Error {
    Error::new_spanned(tokens.iter().cloned().collect::<TokenStream>(), message)
}

fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

fn is_mark(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

/// Returns whether an arrow of two characters begins at `place`.
fn is_arrow(tokens: &[TokenTree], place: usize, first: char) -> bool {
    is_mark(tokens.get(place), first) && is_mark(tokens.get(place + 1), '>')
}

/// The group in parentheses at `place`.
fn arguments(tokens: &[TokenTree], place: usize) -> Option<&Group> {
    match tokens.get(place) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => Some(group),
        _ => None,
    }
}

/// Returns whether an arm may begin at `place`.
fn begins(tokens: &[TokenTree], place: usize) -> bool {
    let token = tokens.get(place);
    let has_arguments = arguments(tokens, place + 1).is_some();
    let after = place + 1 + usize::from(has_arguments);
    if is_word(token, "default") {
        return is_arrow(tokens, after, '=');
    }
    (is_word(token, "recv") || is_word(token, "send"))
        && has_arguments
        && is_arrow(tokens, after, '-')
}

/// Where the arm ends that begins with the first token: before a comma, or before the next arm.
fn end(tokens: &[TokenTree]) -> usize {
    let ends = |&place: &usize| is_mark(tokens.get(place), ',') || begins(tokens, place);
    (1..tokens.len()).find(ends).unwrap_or(tokens.len())
}

/// Where the head of the arm ends that begins with the first token: before `=>`, or with the arm.
fn head(tokens: &[TokenTree]) -> usize {
    let end = end(tokens);
    let arrow = (0..end).find(|&place| is_arrow(tokens, place, '='));
    arrow.unwrap_or(end)
}

/// An arm that fits none of the forms.
fn wrong_arm(rest: &[TokenTree]) -> Error {
    let (end, head) = (end(rest), head(rest));
    let found = TokenStream::from_iter(rest[..1].iter().cloned());
    let TokenTree::Ident(word) = &rest[0] else {
        return at(
            &rest[..1],
            &format!("expected an arm, found `{found}`; {FORMS}"),
        );
    };
    let word = word.to_string();
    if !["recv", "send", "default"].contains(&word.as_str()) {
        let meant = meant(&word);
        return at(
            &rest[..1],
            &format!("`{word}` is no operation of a `select!`{meant}; {FORMS}"),
        );
    }
    let given = arguments(rest, 1);
    let after = 1 + usize::from(given.is_some());
    if word != "default" {
        let Some(given) = given else {
            let message = format!("expected the arguments of `{word}` in parentheses; {FORMS}");
            return at(&rest[..1], &message);
        };
        if let Some(message) = wrong_count(&word, given) {
            return at(&rest[..2], &format!("{message}; {FORMS}"));
        }
        if !is_arrow(rest, after, '-') {
            let message = format!("expected `-> pattern` after `{word}(...)`; {FORMS}");
            return at(&rest[..head], &message);
        }
    }
    let message = match head == end {
        true => format!("expected `=> expression` after this; {FORMS}"),
        false if head + 2 == end => format!("expected an expression after `=>`; {FORMS}"),
        false => format!("this is no arm of a `select!`; {FORMS}"),
    };
    at(&rest[..end], &message)
}

/// What was meant by a word that is no operation.
fn meant(word: &str) -> &'static str {
    match word.to_lowercase().as_str() {
        "recv" | "receive" | "receiver" | "rcv" | "rx" | "read" | "get" | "take" | "join"
        | "try_recv" | "recv_async" | "recv_timeout" => ": `recv` is",
        "send" | "sender" | "snd" | "tx" | "write" | "put" | "push" | "try_send" | "send_async" => {
            ": `send` is"
        }
        "else" | "otherwise" | "timeout" | "after" | "complete" | "_" => ": `default` is",
        _ => "",
    }
}

/// What is wrong with the number of arguments of a `recv` or `send`.
fn wrong_count(word: &str, given: &Group) -> Option<&'static str> {
    let tokens: Vec<TokenTree> = given.stream().into_iter().collect();
    // Commas of a closure's parameters, or of type parameters, may be among them, so more are no mistake by themselves.
    let commas = tokens.iter().rev().skip(1); // one at the end is allowed
    let commas = commas.filter(|token| is_mark(Some(token), ',')).count();
    match (word, tokens.is_empty(), commas) {
        ("recv", true, _) => Some("`recv` needs a receiver: `recv(receiver)`"),
        ("send", true, _) | ("send", _, 0) => {
            Some("`send` needs a sender and a message: `send(sender, message)`")
        }
        ("recv", _, 1..) => Some("`recv` has one argument, the receiver"),
        _ => None,
    }
}

/// What stands after `=>`, and is no expression with a comma after it.
fn wrong_body(rest: &[TokenTree]) -> Error {
    if is_mark(rest.first(), ',') {
        return at(&rest[..1], "expected an expression after `=>`, found `,`");
    }
    let end = end(rest);
    if let Some(place) = (0..end).find(|&place| is_mark(rest.get(place), ';')) {
        let message = "expected a comma after the expression of an arm, found `;`";
        return at(&rest[place..=place], message);
    }
    let next = match rest.get(end) {
        Some(next) if !is_mark(Some(next), ',') => format!(", found `{next}`"),
        _ => String::new(),
    };
    let message = format!("expected a comma after the expression of this arm{next}");
    at(&rest[..end], &message)
}
