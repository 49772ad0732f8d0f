//! Articles that go on on another page: `（下转第二版）` below their first part, `（上接第一版）` above the second.
//!
//! Where both are in the text, the second part is put below the first. Where only one is, nothing else may be taken for its
//! other part, and a second part belongs to no article above it.

use super::repair::affinity::RarePairs;
use super::repair::is_open_end;
use super::{Block, BlockKind, Layout};
use crate::document::Span;
use crate::text::fold::{fold, folded_head};
use crate::text::patterns::PATTERNS;
use regex::Regex;
use std::collections::{HashMap, HashSet};

/// A jump line is no longer.
const MAX_CHARS: usize = 40;
/// Jump lines of each kind on a page that are looked at: each is compared with all of the other kind.
const MAX_JUMPS: usize = 50;
/// Paragraphs of a second part whose words are compared with those of every article.
const MAX_COMPARED: usize = 6;
/// What a headline that is printed again above the second part speaks for it, as a share of words in common.
const SAME_HEADLINE: f32 = 1.0;
/// A second part may have more words in common with an article that goes nowhere (a longer one), but not many more.
const MIN_ADVANTAGE: f32 = 0.6;

/// An article's first part ends here.
struct Departure {
    /// The jump line, and the last text above it.
    at: usize,
    last: usize,
}

/// An article's second part, by its blocks.
struct Arrival {
    /// Of the headline above it, or right below the jump line.
    headline: Vec<usize>,
    /// Everything below the jump line, up to the next headline.
    run: Vec<usize>,
    /// Of these, the text.
    body: Vec<usize>,
}

/// A second part and the first one that it belongs to, by their places in both lists.
struct Pair {
    departure: usize,
    arrival: usize,
    /// Headlines of the second part that the first has too, each with the one it repeats.
    again: Vec<(usize, usize)>,
    /// In mid-sentence.
    goes_on: bool,
}

/// A page's blocks.
struct Page<'a> {
    text: &'a [char],
    blocks: &'a [Block],
}

/// The blocks of a page with what goes on on another page put together, and headlines that were printed again, each
/// with the one that is used.
pub(super) fn reunited(
    text: &[char],
    mut blocks: Vec<Block>,
    layout: Layout,
) -> (Vec<Block>, Vec<(Span, Span)>) {
    let page = Page {
        text,
        blocks: &blocks,
    };
    let (departures, arrivals) = (page.departures(), page.arrivals());
    if departures.is_empty() && arrivals.is_empty() {
        return (blocks, Vec::new());
    }
    let section = page.sections(&arrivals);
    let pairs = page.pairs(&departures, &arrivals, &section);
    let again = pairs.iter().flat_map(|pair| pair.again.iter().copied());
    let again: HashMap<usize, usize> = again.collect();
    let runs = pairs.iter().map(|pair| {
        let run = arrivals[pair.arrival].run_below(pair.goes_on, &again);
        (departures[pair.departure].at, run)
    });
    let runs: HashMap<usize, Vec<usize>> = runs.collect();
    for departure in &departures {
        blocks[departure.last].jumps = true;
        // However short, it is a sentence that the page ended.
        blocks[departure.last].is_heading = false;
    }
    for pair in &pairs {
        let arrival = &arrivals[pair.arrival];
        blocks[arrival.body[0]].continues = pair.goes_on;
        for &headline in &arrival.headline {
            let is_printed_again = again.contains_key(&headline);
            let block = &mut blocks[headline];
            block.is_heading = !is_printed_again;
            block.kind = match is_printed_again {
                true => BlockKind::Furniture,
                false => BlockKind::Body,
            };
        }
    }
    let at_home: HashSet<usize> = pairs.iter().map(|pair| pair.arrival).collect();
    for (i, arrival) in arrivals.iter().enumerate() {
        let is_stranger = !at_home.contains(&i) && arrival.headline.is_empty();
        if is_stranger && layout != Layout::Article {
            blocks[arrival.body[0]].opens = true;
        }
    }
    let duplicates = again
        .iter()
        .map(|(&i, &of)| (blocks[i].span, blocks[of].span));
    let mut duplicates: Vec<(Span, Span)> = duplicates.collect();
    duplicates.sort_unstable_by_key(|(span, _)| span.start);
    (reordered(blocks, &runs), duplicates)
}

/// `（上接第一版）`
pub(super) fn is_arrival(line: &[char]) -> bool {
    is(&PATTERNS.jump_from, line)
}

fn is(pattern: &Regex, line: &[char]) -> bool {
    line.len() <= MAX_CHARS && pattern.is_match(&folded_head(line, MAX_CHARS))
}

impl Page<'_> {
    fn is_jump(&self, i: usize, onward: bool) -> bool {
        let block = &self.blocks[i];
        let line = block.span.of(self.text);
        block.kind == BlockKind::Furniture
            && match onward {
                true => is(&PATTERNS.jump_onward, line),
                false => is_arrival(line),
            }
    }

    fn jumps(&self, onward: bool) -> Vec<usize> {
        let jumps = (0..self.blocks.len()).filter(|&i| self.is_jump(i, onward));
        jumps.take(MAX_JUMPS).collect()
    }

    fn departures(&self) -> Vec<Departure> {
        let above = |at: usize| {
            let mut above = (0..at)
                .rev()
                .take_while(|&i| self.blocks[i].kind != BlockKind::Headline);
            above.find(|&i| self.blocks[i].kind == BlockKind::Body)
        };
        let jumps = self.jumps(true).into_iter();
        jumps
            .filter_map(|at| {
                Some(Departure {
                    at,
                    last: above(at)?,
                })
            })
            .collect()
    }

    fn arrivals(&self) -> Vec<Arrival> {
        let jumps = self.jumps(false);
        let is = |i: usize, kind| self.blocks[i].kind == kind;
        let arrival = |at: usize| {
            let above = (0..at)
                .rev()
                .take_while(|i| !is(*i, BlockKind::Body) && !jumps.contains(i));
            let mut headline: Vec<usize> = above.filter(|&i| is(i, BlockKind::Headline)).collect();
            headline.reverse();
            let mut start = at + 1;
            if headline.is_empty() {
                let below = at + 1..self.blocks.len();
                let below = below.take_while(|&i| !is(i, BlockKind::Body) && !jumps.contains(&i));
                headline = below.filter(|&i| is(i, BlockKind::Headline)).collect();
                start = headline.last().map_or(start, |last| last + 1);
            }
            let run = start..self.blocks.len();
            let run = run.take_while(|i| !is(*i, BlockKind::Headline) && !jumps.contains(i));
            let run: Vec<usize> = run.collect();
            let body: Vec<usize> = (run.iter().copied())
                .filter(|&i| is(i, BlockKind::Body))
                .collect();
            (!body.is_empty()).then_some(Arrival {
                headline,
                run,
                body,
            })
        };
        jumps.iter().filter_map(|&at| arrival(at)).collect()
    }

    /// The article, or second part of one, that each block stands in.
    fn sections(&self, arrivals: &[Arrival]) -> Vec<usize> {
        let mut section = Vec::with_capacity(self.blocks.len());
        let (mut current, mut below_text) = (0, false);
        for (i, block) in self.blocks.iter().enumerate() {
            let arrives = arrivals.iter().any(|arrival| arrival.body[0] == i);
            let opens = arrives || block.kind == BlockKind::Headline;
            if opens && below_text {
                (current, below_text) = (current + 1, false);
            }
            below_text |= block.kind == BlockKind::Body;
            section.push(current);
        }
        section
    }

    /// Which second part belongs to which first one, the likeliest pairs first.
    fn pairs(
        &self,
        departures: &[Departure],
        arrivals: &[Arrival],
        section: &[usize],
    ) -> Vec<Pair> {
        let is_text = |i: usize| self.blocks[i].kind != BlockKind::Furniture;
        let words = RarePairs::new(self.text, self.blocks, section, is_text);
        let sections = section.last().map_or(0, |last| last + 1);
        let mut likely: Vec<(f32, Pair)> = Vec::new();
        for (a, arrival) in arrivals.iter().enumerate() {
            let own = section[arrival.body[0]];
            let compared = &arrival.body[..arrival.body.len().min(MAX_COMPARED)];
            let affinity = |article: usize| {
                let shares = compared.iter().map(|&i| words.affinity(i, article, &[]));
                shares.sum::<f32>() / compared.len() as f32
            };
            let foreign = (0..sections).filter(|&other| other != own);
            let best = foreign.map(affinity).fold(0.0, f32::max);
            for (d, departure) in departures.iter().enumerate() {
                let home = section[departure.last];
                // Pages are printed in order: what goes on on a later page comes later.
                if departure.at > arrival.body[0] || home == own {
                    continue;
                }
                let again = self.printed_again(&arrival.headline, home, section);
                let shared = affinity(home);
                if again.is_empty() && shared < MIN_ADVANTAGE * best {
                    continue;
                }
                let speaks = if again.is_empty() { 0.0 } else { SAME_HEADLINE };
                let pair = Pair {
                    departure: d,
                    arrival: a,
                    again,
                    goes_on: is_open_end(self.blocks[departure.last].span.of(self.text)),
                };
                likely.push((shared + speaks, pair));
            }
        }
        let place = |pair: &Pair| (pair.departure, pair.arrival);
        likely.sort_by(|(a, p), (b, q)| b.total_cmp(a).then(place(p).cmp(&place(q))));
        let (mut left, mut arrived) = (HashSet::new(), HashSet::new());
        let mut pairs = Vec::new();
        for (_, pair) in likely {
            if !left.contains(&pair.departure) && !arrived.contains(&pair.arrival) {
                left.insert(pair.departure);
                arrived.insert(pair.arrival);
                pairs.push(pair);
            }
        }
        pairs
    }

    /// Of headlines, those that an article has too, each with the one it repeats.
    fn printed_again(
        &self,
        headlines: &[usize],
        article: usize,
        section: &[usize],
    ) -> Vec<(usize, usize)> {
        let said = |i: usize| {
            let said = fold(self.blocks[i].span.of(self.text));
            said.into_iter()
                .filter(|c| c.is_alphanumeric())
                .collect::<Vec<char>>()
        };
        let own = (0..self.blocks.len())
            .filter(|&i| section[i] == article && self.blocks[i].kind == BlockKind::Headline);
        let own: Vec<(usize, Vec<char>)> = own.map(|i| (i, said(i))).collect();
        let repeated = |&headline: &usize| {
            let headline_said = said(headline);
            let found = own
                .iter()
                .find(|(i, said)| *i != headline && *said == headline_said);
            found.map(|&(i, _)| (headline, i))
        };
        headlines.iter().filter_map(repeated).collect()
    }
}

impl Arrival {
    /// What goes below its departure: the headline of the second part where it says something new, and its text.
    fn run_below(&self, goes_on: bool, again: &HashMap<usize, usize>) -> Vec<usize> {
        let mut run = self.run.clone();
        // In mid-sentence nothing stands between.
        let place = match goes_on {
            true => run
                .iter()
                .position(|i| *i == self.body[0])
                .map_or(0, |first| first + 1),
            false => 0,
        };
        let (headline, repeated): (Vec<usize>, Vec<usize>) =
            (self.headline.iter()).partition(|&i| !again.contains_key(i));
        run.splice(place..place, headline);
        run.extend(repeated);
        run
    }
}

/// The blocks with each run below its departure.
fn reordered(blocks: Vec<Block>, runs: &HashMap<usize, Vec<usize>>) -> Vec<Block> {
    let moved: HashSet<usize> = runs.values().flatten().copied().collect();
    let mut order = Vec::with_capacity(blocks.len());
    for i in (0..blocks.len()).filter(|i| !moved.contains(i)) {
        let mut open = vec![i];
        while let Some(i) = open.pop() {
            order.push(i);
            open.extend(runs.get(&i).into_iter().flatten().rev());
        }
    }
    // A second part that goes on in itself: no text is lost.
    let placed: HashSet<usize> = order.iter().copied().collect();
    order.extend((0..blocks.len()).filter(|i| !placed.contains(i)));
    order.into_iter().map(|i| blocks[i].clone()).collect()
}

#[cfg(test)]
mod tests {
    use crate::document::page::repair::NoContinuation;
    use crate::document::page::{Layout, Page, split};

    const FIRST: &str = "青江新区加快建设制造业基地\n本报讯（记者 林小满）青江新区召开制造业推进大会，总结去年工作，部署今年任务。\n过去一年新区引进重大项目三十一个";
    const OTHER: &str = "云岭春茶开采\n本报讯（记者 何田）眼下正是春茶采摘的时节，云岭镇的万亩茶园里茶香四溢。\n镇里今年新建两座加工厂，预计带动三千户茶农增收。";
    const SECOND: &str = "会议要求，新区各部门要围绕制造业招商，推动重大项目早落地。\n六家企业代表在大会上发言，十二个项目现场签约。";

    fn read(page: &str, layout: Layout) -> (Page, Vec<String>) {
        let text: Vec<char> = page.chars().collect();
        let page = split(&text, layout, &NoContinuation);
        let articles = page.articles.iter();
        let texts = articles.map(|article| {
            format!(
                "{}|{}",
                article.title,
                article.text.iter().collect::<String>()
            )
        });
        let texts = texts.collect();
        (page, texts)
    }

    #[test]
    fn what_goes_on_on_another_page_is_put_together() {
        for (onward, from) in [
            ("。（下转第二版）", "（上接第一版）"),
            ("。\n▶下转A02版", "◀上接A01版\n"),
            ("。\n（下转2版）", "\n第2版\n(上接1版)\n"),
        ] {
            let page = format!(
                "{FIRST}{onward}\n{OTHER}\n{from}{SECOND}\n东江大桥通车\n本报讯（记者 周默）东江大桥今天通车，市民走上大桥参观。"
            );
            let (page, texts) = read(&page, Layout::Auto);
            assert_eq!(texts.len(), 3, "{texts:#?}");
            assert!(
                texts[0].contains("三十一个。\n会议要求，新区"),
                "{texts:#?}"
            );
            assert!(texts[0].ends_with("现场签约。"), "{texts:#?}");
            assert!(texts[1].ends_with("茶农增收。"), "{texts:#?}");
            assert!(page.duplicates.is_empty());
        }
    }

    #[test]
    fn a_sentence_that_the_page_ended_goes_on() {
        let page =
            format!("{FIRST}（下转第二版）\n{OTHER}\n（上接第一版）比上年多八个。\n{SECOND}");
        let (page, texts) = read(&page, Layout::Auto);
        assert!(
            texts[0].contains("重大项目三十一个比上年多八个。\n会议"),
            "{texts:#?}"
        );
        assert!(page.open_ends.is_empty());
    }

    #[test]
    fn its_headline_may_be_printed_again() {
        let again = "青江新区加快建设制造业基地";
        let page = format!("{FIRST}。（下转第二版）\n{OTHER}\n{again}\n（上接第一版）\n{SECOND}");
        let (page, texts) = read(&page, Layout::Auto);
        assert_eq!(texts.len(), 2, "{texts:#?}");
        assert!(texts[0].ends_with("现场签约。"), "{texts:#?}");
        assert_eq!(page.duplicates.len(), 1);
        assert_eq!(page.duplicates[0].0.len(), again.chars().count());
    }

    #[test]
    fn a_part_alone_is_nobody_elses() {
        let page = format!("{OTHER}\n（上接第一版）\n{SECOND}\n{FIRST}（下转第三版）");
        let (page, texts) = read(&page, Layout::Page);
        assert_eq!(texts.len(), 3, "{texts:#?}");
        assert!(texts[1].starts_with("|会议要求"), "{texts:#?}");
        assert!(page.open_ends.len() == 1 && texts[2].ends_with("三十一个"));
        let (_, texts) = read(&format!("（上接第一版）{SECOND}"), Layout::Auto);
        assert_eq!(texts, [format!("|{SECOND}")]);
    }
}
