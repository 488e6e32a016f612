//! Rows of plain text, in columns.

/// How wide the columns are.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Of the names at the left.
    pub name: usize,
    /// Of the cells, which end at the right of their column.
    pub cells: &'static [usize],
}

impl Table {
    /// The row of `name`, without a line end.
    pub fn row(&self, name: &str, cells: &[&str]) -> String {
        let mut row = format!("{name:<0$}", self.name);
        for (cell, width) in cells.iter().zip(self.cells) {
            row += &format!("{cell:>width$}");
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_at_the_left_and_cells_end_at_the_right_of_their_columns() {
        let table = Table {
            name: 6,
            cells: &[4, 3],
        };
        assert_eq!(table.row("ab", &["1", "23"]), "ab       1 23");
        assert_eq!(table.row("", &["4"]), "         4");
    }
}
