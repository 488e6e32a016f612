//! The report for programs.

use crate::report::Report;

/// The report as indented JSON with a final line end.
///
/// # Errors
///
/// None that the types of a report can cause; serde's signature says otherwise.
pub fn render(report: &Report) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(report).map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::tests::made_up;

    #[test]
    fn every_row_is_there_with_its_numbers() {
        let report = made_up();
        let value: Value = serde_json::from_str(&render(&report).unwrap()).unwrap();
        let rows = value["rows"].as_array().unwrap();
        assert_eq!(rows.len(), report.rows.len());
        for (row, line) in rows.iter().zip(&report.rows) {
            assert_eq!(row["id"], line.id);
            assert_eq!(row["median"], line.summary.median);
            assert_eq!(row["samples"].as_array().unwrap().len(), report.rounds);
        }
        assert_eq!(value["rows"][0]["group"], "goroutines");
        assert_eq!(value["machine"]["kernel"], report.machine.kernel.as_str());
    }
}
