//! Lines that were broken after their clauses, as texts for small screens are: a paragraph is all lines up to its full stop.

use super::line::is_enumerated;
use super::printed::{Printed, ends_somehow};
use super::wrap::put_together;
use super::{line, seams};
use crate::document::table::is_table_row;

/// A longer line is a paragraph, which may be cut in mid-sentence.
const MAX_CLAUSE_CHARS: usize = 48;
/// So many lines that go on, and this share of all, show that lines are broken so.
const MIN_BROKEN: usize = 3;
const MIN_SHARE: f32 = 0.25;
/// Without that, so many in a row, each of which reads on.
const MIN_RUN: usize = 2;
/// Lines of verse are as long as the next ones, and no longer than this.
const MAX_VERSE_CHARS: usize = 18;
const MIN_EQUAL_SHARE: f32 = 0.6;

/// Lines together with those that go on with them.
pub(super) fn read_on(text: &[char], lines: Vec<Printed>) -> Vec<Printed> {
    let mut continues: Vec<bool> = (lines.windows(2))
        .map(|pair| is_clause(text, &pair[0]) && goes_on(text, &pair[0], &pair[1]))
        .collect();
    each_run(&lines, &mut continues, |run| !is_verse(run));
    let broken = continues.iter().filter(|&&goes_on| goes_on).count();
    if broken >= MIN_BROKEN && broken as f32 >= MIN_SHARE * lines.len() as f32 {
        over_open_lines(text, &lines, &mut continues);
    } else {
        each_run(&lines, &mut continues, |run| {
            run.len() > MIN_RUN
                && run
                    .windows(2)
                    .all(|pair| reads_on(text, &pair[0], &pair[1]))
        });
    }
    put_together(lines, std::iter::once(false).chain(continues))
}

/// Lines that go on one after the other are looked at together, and stay as they are where that does not fit.
fn each_run(lines: &[Printed], continues: &mut [bool], fits: impl Fn(&[Printed]) -> bool) {
    let mut first = 0;
    for run in continues.chunk_by_mut(|a, b| a == b) {
        if run[0] && !fits(&lines[first..=first + run.len()]) {
            run.fill(false);
        }
        first += run.len();
    }
}

/// Where lines are broken so, some stop without a mark: one goes on where it stands below a clause and reads on.
fn over_open_lines(text: &[char], lines: &[Printed], continues: &mut [bool]) {
    let is_open = |line: &Printed| !ends_somehow(line.span.of(text));
    for i in 1..continues.len() {
        let [above, open, below] = &lines[i - 1..=i + 1] else {
            continue;
        };
        let in_clause = continues[i - 1] || is_clause(text, above) && is_near(above, open);
        if in_clause && is_open(open) && reads_on(text, open, below) && goes_on(text, open, below) {
            continues[i - 1..=i].fill(true);
        }
    }
}

/// Ends in a comma, and is short.
fn is_clause(text: &[char], line: &Printed) -> bool {
    let said = line.span.of(text);
    matches!(said.last(), Some('，' | '、' | ',')) && said.len() <= MAX_CLAUSE_CHARS
}

fn is_near(above: &Printed, below: &Printed) -> bool {
    below.blank_before == 0 && below.indent <= above.indent
}

/// Whether a line may be the next clause: no headline, credit or page number, no item of a list, not set off.
fn goes_on(text: &[char], above: &Printed, below: &Printed) -> bool {
    let next = below.span.of(text);
    let is_text = ends_somehow(next) && !is_enumerated(next) && !is_table_row(next);
    is_near(above, below) && is_text && !line::is_apart(next)
}

fn reads_on(text: &[char], above: &Printed, below: &Printed) -> bool {
    let (left, right) = seams::sides(above.span.of(text), below.span.of(text));
    seams::logit(&left, &right) > 0.0
}

/// Whether most lines are as long as those that they go on in.
fn is_verse(lines: &[Printed]) -> bool {
    let equal = lines.windows(2).filter(|pair| {
        let len = pair[0].span.len();
        len <= MAX_VERSE_CHARS && len == pair[1].span.len()
    });
    equal.count() as f32 >= MIN_EQUAL_SHARE * (lines.len() - 1) as f32
}

#[cfg(test)]
mod tests {
    use crate::document::page::line::paragraphs;

    #[test]
    fn clauses_on_lines_of_their_own_are_one_paragraph() {
        let broken = "受强冷空气影响，\n东江市自周三起，\n将迎来降温，\n也是今年最强的一次。\n市气象台介绍，\n届时东江流域大部分地区\n将有4到6级偏北风。\n请注意：\n1.防寒，\n2.防火。";
        let indented = format!("　　{}", broken.replace('\n', "\n　　"));
        for broken in [broken.to_owned(), broken.replace('\n', r"\n"), indented] {
            assert_eq!(
                paragraphs(&broken),
                [
                    "受强冷空气影响，东江市自周三起，将迎来降温，也是今年最强的一次。",
                    "市气象台介绍，届时东江流域大部分地区将有4到6级偏北风。",
                    "请注意：",
                    "1.防寒，",
                    "2.防火。"
                ]
            );
        }
    }

    #[test]
    fn one_cut_paragraph_is_no_habit() {
        let page = "东江大桥今天上午正式通车，\n会议强调要抓好春耕备耕工作。\n市民走上大桥参观。\n粮食产量再创新高。";
        assert_eq!(paragraphs(page).len(), 4);
    }

    #[test]
    fn a_cut_paragraph_goes_on_in_no_headline_credit_or_page_number() {
        let reports = "东江大桥通车\n本报讯（记者 何田）大桥今天正式通车，\n社区食堂开到家门口\n本报讯（记者 林小满）中午，食堂里坐满了老人，\n新增十二处口袋公园\n本报讯（记者 周默）今年东江新建口袋公园12处，\n大棚草莓抢鲜上市\n果农正忙着采摘装箱，一天能卖出两百箱。";
        assert_eq!(paragraphs(reports).len(), 8);
        let page = "会议强调，\n推进春耕备耕，\n第3版";
        assert_eq!(paragraphs(page).len(), 3);
        let signed = "受强冷空气影响，\n东江市自周三起，\n（记者 何田）\n本报讯（记者 周默）大桥通车，\n市民走上大桥参观。";
        assert_eq!(paragraphs(signed).len(), 5);
    }

    #[test]
    fn verse_stays_in_lines() {
        let verse = "东江春水绿如蓝，\n两岸桃花映晓帆。\n渔父归来天欲暮，\n一篙烟雨过前湾。";
        assert_eq!(paragraphs(verse).len(), 4);
        let clauses = "受强冷空气影响，\n东江市自周三起，\n将迎来最强的一次降温。\n市气象台介绍，\n两路冷空气将合并南下。";
        assert_eq!(paragraphs(&format!("{clauses}\n{verse}")).len(), 2 + 4);
    }
}
