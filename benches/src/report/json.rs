//! A report for programs.

use serde::Serialize;

use super::failure::Failure;

/// The report as indented JSON with a final line end.
///
/// # Errors
///
/// None that the types of a report can cause; serde's signature says otherwise.
pub fn render(report: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(report).map_err(Failure::run)?;
    Ok(text + "\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_ends_in_a_line_end_and_can_be_read() {
        let text = render(&[1.5, f64::NAN]).unwrap();
        assert!(text.ends_with("]\n"), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((value[0].as_f64(), value[1].is_null()), (Some(1.5), true));
    }
}
