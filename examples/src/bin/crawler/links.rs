//! The links in a page.

use url::Url;

/// Where the links of `page` lead, in their order, each once: the `href` and `src` of its tags, relative to `base`.
pub(crate) fn links(page: &str, base: &Url) -> Vec<Url> {
    let mut found = Vec::new();
    for text in values(page) {
        // Not a link that can be followed: "mailto:", or no URL at all.
        let Ok(mut url) = base.join(&text) else {
            continue;
        };
        url.set_fragment(None);
        if matches!(url.scheme(), "http" | "https") && !found.contains(&url) {
            found.push(url);
        }
    }
    found
}

/// The values of the attributes that are links, in each tag. What stands in comments and scripts is none.
fn values(page: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = after(comment, "-->");
            continue;
        }
        let name_end = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let (name, tag) = rest.split_at(name_end);
        rest = match name.is_empty() {
            // An end of an element, or a "<" that stands for itself.
            true => tag,
            false => attributes(tag, &mut values),
        };
        if name.eq_ignore_ascii_case("script") {
            rest = after(rest, "</script");
        }
    }
    values
}

/// Reads the attributes of a tag; what comes after the tag.
fn attributes<'a>(mut rest: &'a str, values: &mut Vec<String>) -> &'a str {
    let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/');
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return rest;
        }
        if let Some(rest) = rest.strip_prefix('>') {
            return rest;
        }
        // A "=" without a name: it is one.
        let length = match rest.find(ends) {
            Some(0) => 1,
            length => length.unwrap_or(rest.len()),
        };
        let (name, after_name) = rest.split_at(length);
        rest = after_name.trim_start();
        let Some(value) = rest.strip_prefix('=') else {
            continue;
        };
        let value = value.trim_start();
        let (text, after_value) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            _ => {
                let end = value.find(|c: char| c.is_ascii_whitespace() || c == '>');
                value.split_at(end.unwrap_or(value.len()))
            }
        };
        rest = after_value;
        if name.eq_ignore_ascii_case("href") || name.eq_ignore_ascii_case("src") {
            values.push(text.trim().replace("&amp;", "&"));
        }
    }
}

/// What comes after `mark`, in any case of letters; nothing if there is none.
fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    let found = text
        .as_bytes()
        .windows(mark.len())
        .position(|window| window.eq_ignore_ascii_case(mark.as_bytes()));
    // The mark is ASCII, so both of its ends are ends of characters.
    found.map_or("", |start| &text[start + mark.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> Vec<String> {
        let base = Url::parse("http://host/dir/page").unwrap();
        links(page, &base).into_iter().map(String::from).collect()
    }

    #[test]
    fn links_are_found_in_tags_alone_and_each_once() {
        let page = r##"<!DOCTYPE html><a href="a">a</a> 1 < 2 <A class=x HREF = '/b?x=1&amp;y=2' >b</A>
            <img src=c.png><a href="a#part">again</a><!-- <a href="comment"> -->
            <script>let x = '<a href="script">';</SCRIPT><a data-href="no" href=//other/d>d</a> href="text" </a href=end>"##;
        let expected = [
            "http://host/dir/a",
            "http://host/b?x=1&y=2",
            "http://host/dir/c.png",
            "http://other/d",
        ];
        assert_eq!(found(page), expected);
    }

    #[test]
    fn what_cannot_be_followed_is_no_link() {
        let page = "<a href='mailto:x@y'><a href='javascript:z()'><a href='http://'><a href='ftp://x/'><a href>";
        assert!(found(page).is_empty());
    }

    #[test]
    fn every_beginning_of_a_page_is_read_to_its_end() {
        let page = "<a href=\"ä\"><b =x ='y' /><!-- ü --><script src='s'>ö</script><a href='";
        for end in (0..=page.len()).filter(|&end| page.is_char_boundary(end)) {
            assert!(found(&page[..end]).len() <= 3, "{}", &page[..end]);
        }
        assert_eq!(found(page).len(), 3);
    }
}
