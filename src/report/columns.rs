//! Owns tables of text: columns as wide as their widest cell.

/// Lines with columns of equal width under a head; nothing without rows.
pub fn columns<const N: usize>(
    text: &mut String,
    head: [&str; N],
    lines: impl Iterator<Item = [String; N]>,
) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        rows(text, std::iter::once(head.map(str::to_owned)).chain(lines));
    }
}

/// Lines with columns of equal width.
pub fn rows<const N: usize>(text: &mut String, lines: impl Iterator<Item = [String; N]>) {
    let lines: Vec<[String; N]> = lines.collect();
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for line in &lines {
        let cells = line.iter().zip(widths);
        let padded: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut text = String::new();
        columns(&mut text, ["A", "LONG"], std::iter::empty());
        assert_eq!(text, "", "no head without rows");
        let lines = [["größer", "x"], ["a", ""]].map(|line| line.map(str::to_owned));
        columns(&mut text, ["A", "LONG"], lines.into_iter());
        assert_eq!(text, "A       LONG\ngrößer  x\na\n");
    }
}
