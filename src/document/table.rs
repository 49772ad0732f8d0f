//! Rows of tables: they are no headlines, and go on with nothing.

/// A longer line is prose, whatever spaces it has.
const MAX_ROW_CHARS: usize = 120;
/// A row of a table: four cells or more, numbers in half of them; two or three and a score; three and tabs between them; one
/// and an amount, perhaps with a number between. It ends where it ends.
pub fn is_table_row(line: &[char]) -> bool {
    // What a width broke is a paragraph.
    if line.len() > MAX_ROW_CHARS || line.contains(&'\n') {
        return false;
    }
    let cells: Vec<&[char]> = (line.split(|c| c.is_whitespace()))
        .filter(|cell| !cell.is_empty())
        .collect();
    let count = cells.len();
    let numbers = cells
        .iter()
        .filter(|cell| cell.iter().any(|c| c.is_numeric()))
        .count();
    let scored = cells.iter().any(|cell| is_score(cell));
    let priced = cells.last().is_some_and(|cell| is_amount(cell));
    count >= 4 && 2 * numbers >= count
        || (2..=3).contains(&count) && scored
        || count >= 3 && line.contains(&'\t')
        || (2..=3).contains(&count) && priced && numbers + 1 >= count
}

/// What the columns of a table are called: three cells or more, above a row.
pub fn heads_table(line: &[char]) -> bool {
    line.len() <= MAX_ROW_CHARS && line.iter().collect::<String>().split_whitespace().count() >= 3
}

/// `7.02`, `+12.5%`.
fn is_amount(cell: &[char]) -> bool {
    let digits = cell.iter().filter(|c| c.is_ascii_digit()).count();
    let marks = cell.iter().filter(|c| ".%％".contains(**c)).count();
    digits > 0
        && marks > 0
        && cell
            .iter()
            .all(|c| c.is_ascii_digit() || ".%％+-－−,".contains(*c))
}

/// `102-98`, `2:1`.
fn is_score(cell: &[char]) -> bool {
    let mut parts = cell.split(|c| "-—–:：比".contains(*c));
    let number = |part: Option<&[char]>| {
        part.is_some_and(|p| (1..=3).contains(&p.len()) && p.iter().all(|c| c.is_ascii_digit()))
    };
    number(parts.next()) && number(parts.next()) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_rows() {
        let row = |text: &str| is_table_row(&text.chars().collect::<Vec<_>>());
        assert!(row("1 东江海鹰 11 8 1 2 25") && row("碳酸锂 76500 +12.5% -3.2% 10月"));
        assert!(row("东江 102-98 西山") && row("东江　2比1　西山"));
        assert!(
            row("92号汽油　　7.02")
                && row("东安300　　3291.05　　－1.29%")
                && row("1\t湖西区\t28")
                && !row("大桥通车 2023")
        );
        assert!(!row("3月5日，\n大桥通车\n2023年\n动工。"));
        assert!(!row("大 桥 今 天 通 车") && !row("3月5日 大桥通车") && !row("市民走上大桥参观"));
    }
}
