//! Which rows `--only` leaves.

use super::failure::Failure;

/// Those of `all` whose `name` contains the text `only`; all of them where no text was given.
///
/// # Errors
///
/// When no name contains it: names all rows that there are.
pub fn choose<T: Clone>(
    all: &[T],
    only: Option<&str>,
    name: impl Fn(&T) -> String,
) -> Result<Vec<T>, Failure> {
    let only = only.unwrap_or_default();
    let chosen: Vec<T> = all
        .iter()
        .filter(|row| name(row).contains(only))
        .cloned()
        .collect();
    if chosen.is_empty() {
        let names: Vec<String> = all.iter().map(name).collect();
        return Err(Failure::usage(format!(
            "--only: no row contains `{only}`; there are\n  {}",
            names.join("\n  ")
        )));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_three(only: Option<&str>) -> Result<Vec<&'static str>, Failure> {
        choose(&["one", "two", "three"], only, |name| (*name).to_owned())
    }

    #[test]
    fn rows_are_chosen_by_a_part_of_their_name() {
        assert_eq!(of_three(None).unwrap(), ["one", "two", "three"]);
        assert_eq!(of_three(Some("o")).unwrap(), ["one", "two"]);
    }

    #[test]
    fn what_chooses_nothing_is_an_error_of_usage_that_names_all_rows() {
        let failure = of_three(Some("four")).unwrap_err();
        assert_eq!(failure.status, 2);
        for word in ["--only", "`four`", "one", "two", "three"] {
            assert!(failure.message.contains(word), "{failure:?}");
        }
    }
}
