//! Rows of cells as aligned text.

/// A longer cell moves what follows it instead of moving its whole column.
const WIDTH_MAX: usize = 40;

/// One line a row, cells two spaces apart, the last one as long as it likes.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]], indent: &str) -> String {
    let mut widths = [0_usize; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            let chars = cell.chars().count();
            if chars <= WIDTH_MAX {
                *width = chars.max(*width);
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_under_each_other_and_lines_have_no_tail() {
        let rows = [["a", "bé", "c"], ["long", "b", "the rest"], ["x", "", ""]];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows, "  "), "  a     bé  c\n  long  b   the rest\n  x\n");
    }

    #[test]
    fn a_cell_that_is_too_long_moves_only_its_own_line() {
        let long = "y".repeat(WIDTH_MAX + 1);
        let rows = [["x".to_owned(), "1".to_owned()], [long.clone(), "2".to_owned()]];
        assert_eq!(columns(&rows, ""), format!("x  1\n{long}  2\n"));
    }
}
