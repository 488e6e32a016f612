//! Looks at what a program has written.

/// Checks that the words stand in the text, one after the other.
///
/// # Panics
///
/// When they do not.
#[track_caller]
pub fn in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        match rest.split_once(word) {
            Some((_, after)) => rest = after,
            None => panic!("no `{word}` in its place:\n{text}"),
        }
    }
}
