//! Short lines that no headline is, whatever they look like: what the lines around them rule out.

use super::furniture;
use super::line::{self, Line, LineKind};
use super::signatures::{is_letter, may_sign_letter};
use crate::text::fold::{folded_head, is_han};
use crate::text::patterns::PATTERNS;
use std::collections::HashSet;

/// The lines of a page, and who speaks on it.
pub(super) struct RuledOut<'a> {
    text: &'a [char],
    lines: &'a [Line],
    speakers: HashSet<&'a [char]>,
    first_question: Option<usize>,
}

impl<'a> RuledOut<'a> {
    pub fn of(text: &'a [char], lines: &'a [Line]) -> Self {
        Self {
            text,
            lines,
            speakers: speakers(text, lines),
            first_question: lines.iter().position(|line| is_speech(text, line)),
        }
    }

    /// Whether a short line is no headline.
    pub fn has(&self, i: usize) -> bool {
        let (text, lines) = (self.text, self.lines);
        let printed = lines[i].span.of(text);
        let below_other = || {
            i > 0
                && (PATTERNS
                    .section
                    .is_match(&folded_head(printed, SPEECH_CHARS))
                    || tells_of_what_stands_above(text, lines, i)
                    || furniture::heads_notice(text, lines, i - 1))
        };
        let goes_on = || {
            let above_is_short = i > 0 && lines[i - 1].kind == LineKind::Short;
            opens_inside(printed) && !above_is_short
        };
        is_in_talk(text, lines, i)
            || signs_notice(text, lines, i)
            || below_other()
            || is_foreign(text, lines, i)
            || is_one_of_several_scores(text, lines, i)
            || is_boilerplate(printed)
            || signs_letter(text, lines, i)
            || goes_on()
            || furniture::stands_beside_furniture(printed)
            || speaker(printed).is_some_and(|name| self.speakers.contains(name))
            || self.is_above_a_question(i)
    }

    /// What stands between an answer and the next question of an interview. Where nobody has asked yet, it may open a column of
    /// questions.
    fn is_above_a_question(&self, i: usize) -> bool {
        let asked = self.first_question.is_some_and(|first| first < i);
        let asks = |line: &Line| is_speech(self.text, line);
        self.lines.get(i + 1).is_some_and(asks)
            && (i > 0 && self.lines[i - 1].kind == LineKind::Body)
            && (self.lines[i].blank_before == 0 || asked)
    }
}

/// `“终于通车了！”` beside other talk, or below text.
fn is_in_talk(text: &[char], lines: &[Line], i: usize) -> bool {
    let is_talk = |line: &Line| line::is_quoted_talk(line.span.of(text));
    let answers = |line: &Line| line.kind == LineKind::Body || is_talk(line);
    let above = i.checked_sub(1).map(|i| &lines[i]);
    is_talk(&lines[i])
        && (above.is_some_and(|above| answers(above) && lines[i].blank_before == 0)
            || lines.get(i + 1).is_some_and(is_talk))
}

/// Who publishes a notice, above its date, with no text below.
fn signs_notice(text: &[char], lines: &[Line], i: usize) -> bool {
    let is_dated = |line: &Line| furniture::stands_beside_furniture(line.span.of(text));
    let above = i.checked_sub(1).map(|i| &lines[i]);
    above.is_some_and(|above| above.kind == LineKind::Body)
        && lines.get(i + 1).is_some_and(is_dated)
        && lines
            .get(i + 2)
            .is_none_or(|below| below.kind == LineKind::Short)
}

/// A sentence, or a part of one, in another script, inside a text.
fn is_foreign(text: &[char], lines: &[Line], i: usize) -> bool {
    let letters = |line: &Line| {
        let line = line.span.of(text);
        let letters = line.iter().filter(|c| c.is_ascii_alphabetic()).count();
        let is_foreign = !line.iter().any(|&c| is_han(c));
        if is_foreign { letters } else { 0 }
    };
    // The lines that follow each other in it, the last one first.
    let goes_on = |&i: &usize| i > 0 && lines[i].blank_before == 0 && letters(&lines[i]) > 0;
    let rows = (0..=i).rev().take(MAX_ROWS).take_while(goes_on);
    let (first, most) = rows.fold((0, 0), |(_, most), i| (i, most.max(letters(&lines[i]))));
    first > 0 && most >= MIN_FOREIGN_LETTERS && lines[first - 1].kind == LineKind::Body
}

/// Lines above one that are looked at, of scores or of another script.
const MAX_ROWS: usize = 32;

/// Names of companies and products are shorter.
const MIN_FOREIGN_LETTERS: usize = 24;

/// `东江3：0临江`, above or below another match, below text.
fn is_one_of_several_scores(text: &[char], lines: &[Line], i: usize) -> bool {
    let is_score = |i: usize| {
        let line = lines.get(i).map(|line| line.span.of(text));
        line.is_some_and(|line| PATTERNS.score.is_match(&folded_head(line, SCORE_CHARS)))
    };
    let rows = (0..=i).rev().take(MAX_ROWS);
    let first = rows.take_while(|&i| is_score(i)).last();
    let is_below_text = first.is_some_and(|first| {
        first > 0 && lines[first].blank_before == 0 && lines[first - 1].kind == LineKind::Body
    });
    is_below_text && (is_score(i + 1) || first < Some(i))
}

/// What is looked at of a line for a score.
const SCORE_CHARS: usize = 40;

/// `（作者为东江大学教授）`: printed with an article, says nothing of another.
fn is_boilerplate(line: &[char]) -> bool {
    PATTERNS
        .boilerplate
        .is_match(&folded_head(line, line::PATTERN_CHARS))
}

/// `读者 钱女士`, below a letter to the editor and above the reply.
fn signs_letter(text: &[char], lines: &[Line], i: usize) -> bool {
    let above = lines[i.saturating_sub(MAX_LETTER_LINES)..i].iter().rev();
    let mut letter = above.take_while(|line| line.kind == LineKind::Body);
    may_sign_letter(lines[i].span.of(text)) && letter.any(|line| is_letter(line.span.of(text)))
}

/// Paragraphs of a letter.
const MAX_LETTER_LINES: usize = 8;

fn is_speech(text: &[char], line: &Line) -> bool {
    let head = folded_head(line.span.of(text), SPEECH_CHARS);
    PATTERNS.speech.is_match(&head)
}

/// `关于东江制药`, below a press release of 东江制药: who or what that is, no other article.
fn tells_of_what_stands_above(text: &[char], lines: &[Line], i: usize) -> bool {
    let line = lines[i].span;
    let Some(subject) = line.of(text).strip_prefix(&ABOUT) else {
        return false;
    };
    let above = &text[line.start.saturating_sub(ABOVE_CHARS)..line.start];
    // An essay has a writer: `关于父亲`.
    let is_signed = lines
        .get(i + 1)
        .is_some_and(|below| below.kind != LineKind::Body);
    !is_signed
        && (MIN_SUBJECT_CHARS..=MAX_SUBJECT_CHARS).contains(&subject.len())
        && !subject.contains(&'的')
        && above.windows(subject.len()).any(|said| said == subject)
}

const ABOUT: [char; 2] = ['关', '于'];
/// The name of a company, of a drug.
const MIN_SUBJECT_CHARS: usize = 3;
const MAX_SUBJECT_CHARS: usize = 16;
/// What of the text above is searched for it.
const ABOVE_CHARS: usize = 6000;

/// A line that begins with what only goes on: `，`, `）`, `的，`.
fn opens_inside(line: &[char]) -> bool {
    let goes_on = |c: char| {
        matches!(
            c,
            '，' | '、' | '。' | '；' | '：' | '！' | '？' | '”' | '’' | '）' | '》'
        )
    };
    match line {
        ['的' | '了' | '着' | '过' | '们', next, ..] => goes_on(*next),
        [first, ..] => goes_on(*first),
        [] => false,
    }
}

/// Who speaks in an interview or a round table: what several lines of a page open with before a colon.
fn speakers<'a>(text: &'a [char], lines: &[Line]) -> HashSet<&'a [char]> {
    let mut seen = HashSet::new();
    let named = lines.iter().filter_map(|line| speaker(line.span.of(text)));
    named.filter(|name| !seen.insert(*name)).collect()
}

/// The name that a line opens with before a colon.
fn speaker(line: &[char]) -> Option<&[char]> {
    let colon = line
        .iter()
        .take(MAX_SPEAKER_CHARS + 1)
        .position(|c| matches!(c, '：' | ':'))?;
    let name = &line[..colon];
    let is_name = |c: &char| c.is_alphanumeric() || "《》·".contains(*c);
    (name.len() > 1 && colon + 1 < line.len() && name.iter().all(is_name)).then_some(name)
}

/// Names of speakers are no longer.
const MAX_SPEAKER_CHARS: usize = 10;

/// What is looked at of a line to see whether somebody speaks.
const SPEECH_CHARS: usize = 16;
